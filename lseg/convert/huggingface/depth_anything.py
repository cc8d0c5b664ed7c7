"""Folders of the type "depth_anything": Depth Anything V1 and V2, relative or in metres."""

from collections.abc import Sequence
from typing import Any

from lseg.config import DepthConfig
from lseg.convert.huggingface import decoder
from lseg.convert.huggingface.content import FolderContent
from lseg.convert.huggingface.dinov2 import dinov2_encoder
from lseg.convert.huggingface.fields import (
    check_options,
    read_mapping,
    read_options,
    wrong_option,
)
from lseg.convert.huggingface.weights import merge_attention, read_weights, rename_weights
from lseg.convert.keymap import Conversion, Rule

DECODER_DEFAULTS: dict[str, Any] = {
    **decoder.DEFAULTS,
    "readout_type": "ignore",
    "neck_hidden_sizes": [48, 96, 192, 384],
    "fusion_hidden_size": 64,
}
DEFAULTS: dict[str, Any] = {
    "patch_size": 14,
    "reassemble_hidden_size": 384,
    "head_hidden_size": 32,
    "depth_estimation_type": "relative",
    "max_depth": 1.0,
}
FIXED: dict[str, Sequence[Any]] = {
    "depth_estimation_type": ["relative", "metric"],
    "head_in_index": [-1, 3],
    "readout_type": ["ignore"],
    "backbone": [None],
}
HEAD_RULES = (
    Rule(r"head\.conv1\.(\w+)", r"narrow.\1"),
    Rule(r"head\.conv2\.(\w+)", r"refine.\1"),
    Rule(r"head\.conv3\.(\w+)", r"depth.\1"),
)


def convert_depth_anything(content: FolderContent) -> Conversion:
    """See `lseg.convert.huggingface.folder.convert_huggingface`."""
    source, options = content.source, content.options
    name = source.name
    check_options(options, FIXED, name)
    values = read_options(options, DEFAULTS, name)
    backbone = read_mapping(options, "backbone_config", name)
    check_options(backbone, {"model_type": ["dinov2"]}, f"{name}, backbone_config")
    encoder = dinov2_encoder(backbone, f"{name}, backbone_config")
    width = backbone.get("hidden_size", values["reassemble_hidden_size"])
    for option, wanted in (("patch_size", encoder.patch), ("reassemble_hidden_size", width)):
        if values[option] != wanted:
            raise wrong_option(name, option, values[option], [wanted])
    trunk = decoder.decoder_trunk(options, DECODER_DEFAULTS, encoder, "level", name)
    metric = values["depth_estimation_type"] == "metric"
    config = DepthConfig(
        trunk,
        content.preprocessing,
        metric=metric,
        hidden=values["head_hidden_size"],
        activation="sigmoid" if metric else "relu",
        max_depth=float(values["max_depth"]),
    )
    weights = read_weights(content.folder)
    merge_attention(weights, encoder.attentions, encoder.joined, name)
    rest = (*HEAD_RULES, *decoder.NECK_RULES)
    parts, dropped, rules = rename_weights(weights, encoder, rest, source)
    return Conversion("Depth Anything (Hugging Face)", config, parts, None, dropped, rules)
