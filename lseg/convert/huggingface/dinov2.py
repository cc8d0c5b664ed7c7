"""A DINOv2 as the image encoder of a folder: its `backbone_config` and its names of weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from lseg.convert.huggingface.encoder import (
    MASK_TOKEN,
    UNUSED_TOP,
    VIT,
    Encoder,
    attention_names,
    timm_backbone,
)
from lseg.convert.huggingface.fields import check_options, read_options, read_side, wrong_option
from lseg.convert.keymap import Rule

DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "mlp_ratio": 4.0,
    "image_size": 224,
    "patch_size": 14,
    "qkv_bias": True,
    "use_swiglu_ffn": False,
    "apply_layernorm": True,
}
FIXED: dict[str, Sequence[Any]] = {
    "num_channels": [3],
    "hidden_act": ["gelu"],
    "layer_norm_eps": [1e-6],
}
PLAIN = tuple(f"vit_{size}_patch14_dinov2" for size in ("small", "base", "large"))
GATED = ("vit_giant_patch14_dinov2",)

BLOCKS = "backbone.encoder.layer."
_BLOCK, _OURS = r"backbone\.encoder\.layer\.(\d+)\.", rf"{VIT}blocks.\1."

RULES = (
    Rule(r"backbone\.embeddings\.mask_token", None, MASK_TOKEN),
    Rule(r"backbone\.embeddings\.cls_token", f"{VIT}cls_token"),
    Rule(r"backbone\.embeddings\.position_embeddings", f"{VIT}pos_embed"),
    Rule(
        r"backbone\.embeddings\.patch_embeddings\.projection\.(\w+)", rf"{VIT}patch_embed.proj.\1"
    ),
    Rule(rf"{_BLOCK}norm(\d)\.(\w+)", rf"{_OURS}norm\2.\3"),
    Rule(rf"{_BLOCK}attention\.attention\.qkv\.(\w+)", rf"{_OURS}attn.qkv.\2"),
    Rule(rf"{_BLOCK}attention\.output\.dense\.(\w+)", rf"{_OURS}attn.proj.\2"),
    Rule(rf"{_BLOCK}layer_scale(\d)\.lambda1", rf"{_OURS}ls\2.gamma"),
    Rule(rf"{_BLOCK}mlp\.fc(\d)\.(\w+)", rf"{_OURS}mlp.fc\2.\3"),
    Rule(rf"{_BLOCK}mlp\.weights_in\.(\w+)", rf"{_OURS}mlp.fc1.\2"),
    Rule(rf"{_BLOCK}mlp\.weights_out\.(\w+)", rf"{_OURS}mlp.fc2.\2"),
)
KEPT_NORM = Rule(r"backbone\.layernorm\.(\w+)", rf"{VIT}norm.\1")
UNUSED_NORM = Rule(r"backbone\.layernorm\.\w+", None, UNUSED_TOP)


def dinov2_encoder(options: Mapping[str, Any], source: str) -> Encoder:
    """What a `backbone_config` of the type "dinov2" says.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    values = read_options(options, DEFAULTS, source)
    check_options(options, FIXED, source)
    sizes = dinov2_sizes(values, source)
    gated = values["use_swiglu_ffn"]
    names = GATED if gated else PLAIN
    name, arguments = timm_backbone(sizes, perceptron_width(values, gated), names)
    levels = block_indices(options, values["num_hidden_layers"], source)
    norm = values["apply_layernorm"]
    rules = (*RULES, KEPT_NORM if norm else UNUSED_NORM)
    patch, attentions = sizes["patch_size"], attention_names(BLOCKS, levels[-1])
    return Encoder(name, arguments, levels, patch, norm, "bicubic", rules, BLOCKS, attentions)


def dinov2_sizes(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Arguments of timm for a DINOv2, without `mlp_ratio`.

    Raises:
        CheckpointError: If a picture or a patch is no square.
    """
    return {
        "img_size": read_side(values, "image_size", source),
        "patch_size": read_side(values, "patch_size", source),
        "embed_dim": values["hidden_size"],
        "depth": values["num_hidden_layers"],
        "num_heads": values["num_attention_heads"],
        "qkv_bias": values["qkv_bias"],
    }


def perceptron_width(values: Mapping[str, Any], gated: bool) -> int:
    """Width inside a block's perceptron; of a gated one (SwiGLU), of both of its halves."""
    hidden = int(values["hidden_size"] * values["mlp_ratio"])
    return 2 * ((int(hidden * 2 / 3) + 7) // 8 * 8) if gated else hidden


def block_indices(options: Mapping[str, Any], depth: int, source: str) -> tuple[int, int, int, int]:
    """Blocks, counted from 0, that `out_indices` or `out_features` name, counted from 1.

    Raises:
        CheckpointError: If they are not four.
    """
    names = options.get("out_features") or []
    stages = {f"stage{index}": index for index in range(1, depth + 1)}
    found = options.get("out_indices") or [stages.get(str(name)) for name in names]
    indices = [
        index + depth if type(index) is int and index < 0 else index - 1
        for index in found
        if type(index) is int
    ]
    if len(indices) != 4 or len(found) != 4 or not 0 <= min(indices) <= max(indices) < depth:
        raise wrong_option(source, "out_indices", found, [f"four of 1 to {depth}"])
    first, second, third, fourth = sorted(indices)
    return first, second, third, fourth
