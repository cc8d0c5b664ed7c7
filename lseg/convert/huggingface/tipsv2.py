"""Folders of the type "tipsv2_dpt": TIPSv2 with DPT heads for depth, normals and segmentation.

google/tipsv2-*-dpt hold three decoders on one image encoder, each of which is a network here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from lseg.config import DepthConfig, NetworkConfig, NormalsConfig, SegmentationConfig
from lseg.convert.huggingface import decoder, dinov2
from lseg.convert.huggingface.content import FolderContent
from lseg.convert.huggingface.decoder import UNUSED_UNIT
from lseg.convert.huggingface.encoder import MASK_TOKEN, UNUSED_TOP, VIT, Encoder, timm_backbone
from lseg.convert.huggingface.fields import check_options, read_mapping, read_options
from lseg.convert.huggingface.preprocessor import label_names
from lseg.convert.huggingface.weights import read_weights, rename_weights
from lseg.convert.keymap import Conversion, Rule, Source, shape_of
from lseg.errors import CheckpointError

DEFAULTS: dict[str, Any] = {
    "num_depth_bins": 256,
    "min_depth": 0.001,
    "max_depth": 10.0,
    "readout_activation": "gelu_pytorch_tanh",
}
FIXED: dict[str, Sequence[Any]] = {
    "readout_activation": ["gelu_pytorch_tanh", "gelu"],
    "depth_decoder_activation": ["relu"],
    "readout_type": ["project"],
}
ENCODER_DEFAULTS: dict[str, Any] = {
    **dinov2.DEFAULTS,
    "image_size": 448,
    "num_register_tokens": 1,
}
PLAIN = ("vit_base_patch14_reg4_dinov2", "vit_large_patch14_reg4_dinov2")
GATED = ("vit_giant_patch14_reg4_dinov2",)
TASKS = ("depth", "normals", "segmentation")

OTHER_HEAD = "another head, for another --task"
BLOCKS = "vision_encoder.blocks."
_BLOCK, _OURS = r"vision_encoder\.blocks\.(\d+)\.", rf"{VIT}blocks.\1."

ENCODER_RULES = (
    Rule(r"vision_encoder\.mask_token", None, MASK_TOKEN),
    Rule(r"vision_encoder\.(cls_token|pos_embed)", rf"{VIT}\1"),
    Rule(r"vision_encoder\.register_tokens", f"{VIT}reg_token"),
    Rule(r"vision_encoder\.patch_embed\.proj\.(\w+)", rf"{VIT}patch_embed.proj.\1"),
    Rule(rf"{_BLOCK}norm(\d)\.(\w+)", rf"{_OURS}norm\2.\3"),
    Rule(rf"{_BLOCK}attn\.(\w+)\.(\w+)", rf"{_OURS}attn.\2.\3"),
    Rule(rf"{_BLOCK}ls(\d)\.gamma", rf"{_OURS}ls\2.gamma"),
    Rule(rf"{_BLOCK}mlp\.c_fc\.(\w+)", rf"{_OURS}mlp.fc1.\2"),
    Rule(rf"{_BLOCK}mlp\.c_proj\.(\w+)", rf"{_OURS}mlp.fc2.\2"),
    Rule(rf"{_BLOCK}mlp\.w12\.(\w+)", rf"{_OURS}mlp.fc1.\2"),
    Rule(rf"{_BLOCK}mlp\.w3\.(\w+)", rf"{_OURS}mlp.fc2.\2"),
)
KEPT_NORM = Rule(r"vision_encoder\.norm\.(\w+)", rf"{VIT}norm.\1")
UNUSED_NORM = Rule(r"vision_encoder\.norm\.\w+", None, UNUSED_TOP)


def convert_tipsv2(content: FolderContent) -> Conversion:
    """See `lseg.convert.huggingface.folder.convert_huggingface`."""
    source, options, name = content.source, content.options, content.source.name
    check_options(options, FIXED, name)
    values = read_options(options, DEFAULTS, name)
    backbone = read_mapping(options, "backbone_config", name)
    check_options(backbone, {"model_type": ["tipsv2_vision_model"]}, f"{name}, backbone_config")
    encoder = tipsv2_encoder(backbone, f"{name}, backbone_config")
    no_bias = {**options, "use_bias_in_fusion_residual": False}
    trunk = replace(
        decoder.decoder_trunk(no_bias, decoder.DEFAULTS, encoder, "double", name),
        readout_activation="gelu" if values["readout_activation"] == "gelu" else "gelu_tanh",
    )
    preprocessing = content.preprocessing
    weights = read_weights(content.folder)
    task = _task(weights, content.task, source)
    config: NetworkConfig
    if task == "depth":
        config = DepthConfig(
            trunk,
            preprocessing,
            metric=True,
            bins=values["num_depth_bins"],
            min_depth=float(values["min_depth"]),
            max_depth=float(values["max_depth"]),
        )
    elif task == "normals":
        config = NormalsConfig(trunk, preprocessing)
    else:
        classes, _ = shape_of(weights, _last_weight(task), source, ndim=2)
        labels = label_names(options, classes, name)
        config = SegmentationConfig(trunk, preprocessing, labels, plain_head=True)
    _add_position_of_class_token(weights, source)
    last = _last_weight(task)
    shape_of(weights, last, source, ndim=2)
    weights[last] = weights[last][:, :, None, None]  # as a convolution
    parts, dropped, rules = rename_weights(weights, encoder, head_rules(task), source)
    kind = f"TIPSv2-DPT for {task} (Hugging Face)"
    return Conversion(kind, config, parts, None, dropped, rules)


def tipsv2_encoder(options: Mapping[str, Any], source: str) -> Encoder:
    """What a `backbone_config` of the type "tipsv2_vision_model" says: a DINOv2 with registers.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    values = read_options(options, ENCODER_DEFAULTS, source)
    check_options(options, dinov2.FIXED, source)
    sizes = {
        **dinov2.dinov2_sizes(values, source),
        "reg_tokens": values["num_register_tokens"],
    }
    gated = values["use_swiglu_ffn"]
    hidden = dinov2.perceptron_width(values, gated)
    name, arguments = timm_backbone(sizes, hidden, GATED if gated else PLAIN)
    levels = dinov2.block_indices(options, values["num_hidden_layers"], source)
    norm = values["apply_layernorm"]
    rules = (*ENCODER_RULES, KEPT_NORM if norm else UNUSED_NORM)
    patch = sizes["patch_size"]
    return Encoder(name, arguments, levels, patch, norm, "antialiased", rules, BLOCKS)


def head_rules(task: str) -> list[Rule]:
    """Key map of one of the decoders; the others are left out."""
    head = rf"{task}_head\."
    reassemble = rf"{head}reassemble\."
    others = "|".join(other for other in TASKS if other != task)
    return [
        Rule(rf"(?:{others})_head\..+", None, OTHER_HEAD),
        Rule(rf"{head}fusion_blocks\.0\.residual_unit\..+", None, UNUSED_UNIT),
        Rule(rf"{reassemble}readout_projects\.(\d)\.(\w+)", r"trunk.reassemble.\1.read.linear.\2"),
        Rule(rf"{reassemble}out_projections\.(\d)\.(\w+)", r"trunk.reassemble.\1.project.\2"),
        Rule(rf"{reassemble}resize_layers\.(\d)\.(\w+)", r"trunk.reassemble.\1.resample.\2"),
        Rule(rf"{head}convs\.(\d)\.(\w+)", r"trunk.fusion.level_convs.\1.\2"),
        *(
            Rule(
                rf"{head}fusion_blocks\.{3 - block}\.{theirs}",  # theirs: coarsest first
                rf"trunk.fusion.blocks.{block}.{ours}",
            )
            for block in range(4)
            for theirs, ours in (
                (r"out_conv\.(\w+)", r"project.\1"),
                (r"residual_unit\.conv(\d)\.(\w+)", r"skip_unit.conv\1.\2"),
                (r"main_unit\.conv(\d)\.(\w+)", r"unit.conv\1.\2"),
            )
        ),
        Rule(rf"{head}project\.(\w+)", r"mix.\1"),
        Rule(rf"{head}{head}(\w+)", r"classify.\1"),
    ]


def _task(weights: Mapping[str, Tensor], wanted: str | None, source: Source) -> str:
    """The head that is wanted, or the first that there is."""
    found = [task for task in TASKS if any(key.startswith(f"{task}_head.") for key in weights)]
    if not found or (wanted is not None and wanted not in found):
        raise CheckpointError(
            f"{source} has no head for {wanted or 'any task'}: "
            + (f"give --task {' or '.join(found)}" if found else "it is no whole TIPSv2-DPT")
        )
    return found[0] if wanted is None else wanted


def _last_weight(task: str) -> str:
    return f"{task}_head.{task}_head.weight"


def _add_position_of_class_token(weights: dict[str, Tensor], source: Source) -> None:
    """With registers, timm has positions for patches alone; the sum is the same."""
    token, table = "vision_encoder.cls_token", "vision_encoder.pos_embed"
    for key in (token, table):
        shape_of(weights, key, source, ndim=3)
    weights[token] = weights[token] + weights[table][:, :1]
    weights[table] = weights[table][:, 1:]
