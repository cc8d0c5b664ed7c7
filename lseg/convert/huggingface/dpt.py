"""Folders of the type "dpt": DPT for depth or segmentation, with an image encoder of any kind.

Intel/dpt-large, Intel/dpt-large-ade and Intel/dpt-hybrid-midas describe their image encoder by
themselves, and so does what transformers 5 saves today: the names of the weights have not changed
since. Others have a `backbone_config`: facebook/dpt-dinov2-*, and Intel/dpt-beit-* and
Intel/dpt-swinv2-*, the networks of MiDaS 3.1.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lseg.config import DepthConfig, NetworkConfig, OddGrids, SegmentationConfig, TrunkConfig
from lseg.convert.huggingface.beit import beit_encoder
from lseg.convert.huggingface.content import FolderContent
from lseg.convert.huggingface.decoder import (
    CLASSIFIER,
    DEFAULTS,
    DEPTH_RULES,
    NECK_RULES,
    SEGMENTATION_RULES,
    decoder_trunk,
)
from lseg.convert.huggingface.dinov2 import dinov2_encoder
from lseg.convert.huggingface.encoder import Encoder
from lseg.convert.huggingface.fields import read_mapping, wrong_option
from lseg.convert.huggingface.preprocessor import label_names
from lseg.convert.huggingface.swinv2 import swinv2_encoder
from lseg.convert.huggingface.vit import vit_encoder
from lseg.convert.huggingface.weights import merge_attention, read_weights, rename_weights
from lseg.convert.keymap import Conversion
from lseg.errors import CheckpointError

ENCODERS: dict[Any, Callable[[Mapping[str, Any], str], Encoder]] = {
    "dinov2": dinov2_encoder,
    "beit": beit_encoder,
    "swinv2": swinv2_encoder,
}
"""What a `backbone_config` may describe, by its `model_type`."""

KINDS = {
    "DPTForDepthEstimation": ("depth", DEPTH_RULES),
    "DPTForSemanticSegmentation": ("segmentation", SEGMENTATION_RULES),
}


def convert_dpt_folder(content: FolderContent) -> Conversion:
    """See `lseg.convert.huggingface.folder.convert_huggingface`."""
    source, options = content.source, content.options
    architecture = content.architecture
    if architecture not in KINDS:
        raise CheckpointError(
            f"{source} holds a {architecture}: only {' and '.join(KINDS)} are converted"
        )
    kind, head_rules = KINDS[architecture]
    encoder = _encoder(options, source.name)
    trunk = trunk_config(options, source.name)
    preprocessing = content.preprocessing
    weights = read_weights(content.folder)
    merge_attention(weights, encoder.attentions, encoder.joined, source.name)
    config: NetworkConfig
    if kind == "depth":
        # The networks that have this convolution, DINOv2's, were trained on metres.
        mixes = bool(options.get("add_projection"))
        config = DepthConfig(trunk, preprocessing, metric=mixes, mixes=mixes)
    else:
        if CLASSIFIER not in weights:
            raise CheckpointError(f"{source} lacks the weight {CLASSIFIER!r}")
        labels = label_names(options, len(weights[CLASSIFIER]), source.name)
        config = SegmentationConfig(trunk, preprocessing, labels)
    parts, dropped, rules = rename_weights(weights, encoder, (*head_rules, *NECK_RULES), source)
    kind = f"DPT for {kind} (Hugging Face)"
    return Conversion(kind, config, parts, None, dropped, rules)


def trunk_config(options: Mapping[str, Any], source: str) -> TrunkConfig:
    """What `config.json` says about backbone, reassemble and fusion.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    odd_grids: OddGrids = "double" if _has_backbone(options) else "pad"
    return decoder_trunk(options, DEFAULTS, _encoder(options, source), odd_grids, source)


def _has_backbone(options: Mapping[str, Any]) -> bool:
    """Whether the image encoder is described apart, and not a part of the DPT itself."""
    return bool(options.get("backbone_config")) and not options.get("is_hybrid")


def _encoder(options: Mapping[str, Any], source: str) -> Encoder:
    if options.get("backbone") is not None and not options.get("is_hybrid"):
        raise wrong_option(source, "backbone", options["backbone"], ["none, or a backbone_config"])
    if not _has_backbone(options):
        return vit_encoder(options, source)
    backbone, name = read_mapping(options, "backbone_config", source), f"{source}, backbone_config"
    kind = backbone.get("model_type")
    if kind not in ENCODERS:
        raise wrong_option(name, "model_type", kind, ENCODERS)
    return ENCODERS[kind](backbone, name)
