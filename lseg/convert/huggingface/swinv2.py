"""A Swin V2 as the image encoder of a folder: its `backbone_config` and its names of weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from lseg.convert.huggingface.beit import COMPUTED
from lseg.convert.huggingface.dinov2 import block_indices
from lseg.convert.huggingface.encoder import MASK_TOKEN, Encoder
from lseg.convert.huggingface.fields import check_options, read_options, read_side, wrong_option
from lseg.convert.keymap import Rule

DEFAULTS: dict[str, Any] = {
    "image_size": 224,
    "patch_size": 4,
    "embed_dim": 96,
    "depths": [2, 2, 6, 2],
    "num_heads": [3, 6, 12, 24],
    "window_size": 7,
    "pretrained_window_sizes": [0, 0, 0, 0],
    "mlp_ratio": 4.0,
    "qkv_bias": True,
}
FIXED: dict[str, Sequence[Any]] = {
    "num_channels": [3],
    "hidden_act": ["gelu"],
    "layer_norm_eps": [1e-5],
    "use_absolute_embeddings": [False],
}
STAGES = 4

# timm's models, and the arguments that their names stand for.
_PLAIN = {"patch_size": 4, "mlp_ratio": 4.0, "qkv_bias": True}
_TINY = {**_PLAIN, "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24]}
_BASE = {**_PLAIN, "embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]}
_LARGE = {**_PLAIN, "embed_dim": 192, "depths": [2, 2, 18, 2], "num_heads": [6, 12, 24, 48]}
_AT_256 = {"img_size": 256, "window_size": 16, "pretrained_window_sizes": [0, 0, 0, 0]}
_AT_384 = {"img_size": 384, "window_size": 24, "pretrained_window_sizes": [12, 12, 12, 6]}
STANDARD: dict[str, dict[str, Any]] = {
    "swinv2_tiny_window16_256": {**_TINY, **_AT_256},
    "swinv2_base_window12to24_192to384": {**_BASE, **_AT_384},
    "swinv2_large_window12to24_192to384": {**_LARGE, **_AT_384},
}

BLOCKS = "backbone.encoder.layers."
NET = "trunk.backbone.net."
_BLOCK = r"backbone\.encoder\.layers\.(\d)\.blocks\.(\d+)\."
_OURS = rf"{NET}layers_\1.blocks.\2."

RULES = (
    Rule(r"backbone\.embeddings\.mask_token", None, MASK_TOKEN),
    Rule(r"backbone\..*relative_(?:position_index|coords_table)", None, COMPUTED),
    Rule(
        r"backbone\.embeddings\.patch_embeddings\.projection\.(\w+)", rf"{NET}patch_embed.proj.\1"
    ),
    Rule(r"backbone\.embeddings\.norm\.(\w+)", rf"{NET}patch_embed.norm.\1"),
    *(
        Rule(  # theirs ends a stage, timm's begins the next
            rf"backbone\.encoder\.layers\.{stage}\.downsample\.(\w+)\.(\w+)",
            rf"{NET}layers_{stage + 1}.downsample.\1.\2",
        )
        for stage in range(STAGES - 1)
    ),
    Rule(rf"{_BLOCK}layernorm_before\.(\w+)", rf"{_OURS}norm1.\3"),
    Rule(rf"{_BLOCK}layernorm_after\.(\w+)", rf"{_OURS}norm2.\3"),
    Rule(rf"{_BLOCK}attention\.self\.logit_scale", rf"{_OURS}attn.logit_scale"),
    Rule(
        rf"{_BLOCK}attention\.self\.continuous_position_bias_mlp\.(\d)\.(\w+)",
        rf"{_OURS}attn.cpb_mlp.\3.\4",
    ),
    Rule(rf"{_BLOCK}attention\.self\.qkv\.(\w+)", rf"{_OURS}attn.qkv.\3"),
    Rule(rf"{_BLOCK}attention\.self\.query\.bias", rf"{_OURS}attn.q_bias"),
    Rule(rf"{_BLOCK}attention\.self\.value\.bias", rf"{_OURS}attn.v_bias"),
    Rule(rf"{_BLOCK}attention\.output\.dense\.(\w+)", rf"{_OURS}attn.proj.\3"),
    Rule(rf"{_BLOCK}intermediate\.dense\.(\w+)", rf"{_OURS}mlp.fc1.\3"),
    Rule(rf"{_BLOCK}output\.dense\.(\w+)", rf"{_OURS}mlp.fc2.\3"),
)


def swinv2_encoder(options: Mapping[str, Any], source: str) -> Encoder:
    """What a `backbone_config` of the type "swinv2" says.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    values = read_options(options, DEFAULTS, source)
    check_options(options, FIXED, source)
    for name in ("depths", "num_heads", "pretrained_window_sizes"):
        if len(values[name]) != STAGES:
            raise wrong_option(source, name, values[name], ["four numbers"])
    levels = block_indices(options, STAGES, source)
    if levels != (0, 1, 2, 3):
        raise wrong_option(source, "out_indices", options.get("out_indices"), ["all four stages"])
    patch = read_side(values, "patch_size", source)
    sizes = {
        **{name: values[name] for name in DEFAULTS if name != "image_size"},
        "img_size": read_side(values, "image_size", source),
        "patch_size": patch,
    }
    name = min(STANDARD, key=lambda name: len(_differing(sizes, STANDARD[name])))
    return Encoder(
        name,
        _differing(sizes, STANDARD[name]),
        levels,
        patch,
        False,
        "bilinear",
        RULES,
        BLOCKS,
        [
            f"{BLOCKS}{stage}.blocks.{block}.attention.self."
            for stage, depth in enumerate(values["depths"])
            for block in range(depth)
        ],
        joined=("weight",),  # key has no bias
        tokens=False,
    )


def _differing(wanted: Mapping[str, Any], standard: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if value != standard[key]}
