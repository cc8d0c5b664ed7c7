"""A BEiT as the image encoder of a folder: its `backbone_config` and its names of weights.

As with a plain ViT, weights were trained with a norm's epsilon of 1e-6, whatever the folder says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lseg.convert.huggingface.dinov2 import block_indices
from lseg.convert.huggingface.encoder import (
    MASK_TOKEN,
    UNUSED_TOP,
    VIT,
    Encoder,
    attention_names,
    timm_backbone,
)
from lseg.convert.huggingface.fields import check_options, read_options, read_side
from lseg.convert.keymap import Rule

DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "image_size": 224,
    "patch_size": 16,
}
FIXED: dict[str, Sequence[Any]] = {
    "num_channels": [3],
    "hidden_act": ["gelu"],
    "layer_norm_eps": [1e-6, 1e-12],
    "use_relative_position_bias": [True],
    "use_shared_relative_position_bias": [False],
    "use_absolute_position_embeddings": [False],
    "add_fpn": [False],
}
NAMES = ("beit_base_patch16_384", "beit_large_patch16_384", "beit_large_patch16_512")

COMPUTED = "follows from the size of the grid"
BLOCKS = "backbone.encoder.layer."
_BLOCK, _OURS = r"backbone\.encoder\.layer\.(\d+)\.", rf"{VIT}blocks.\1."

RULES = (
    Rule(r"backbone\.embeddings\.mask_token", None, MASK_TOKEN),
    Rule(r"backbone\.layernorm\.\w+", None, UNUSED_TOP),
    Rule(r"backbone\..*relative_position_index", None, COMPUTED),
    Rule(r"backbone\.embeddings\.cls_token", f"{VIT}cls_token"),
    Rule(
        r"backbone\.embeddings\.patch_embeddings\.projection\.(\w+)", rf"{VIT}patch_embed.proj.\1"
    ),
    Rule(
        rf"{_BLOCK}attention\.attention\.relative_position_bias\.relative_position_bias_table",
        r"trunk.backbone.tables.\1",
    ),
    Rule(rf"{_BLOCK}lambda_(\d)", rf"{_OURS}gamma_\2"),
    Rule(rf"{_BLOCK}layernorm_before\.(\w+)", rf"{_OURS}norm1.\2"),
    Rule(rf"{_BLOCK}layernorm_after\.(\w+)", rf"{_OURS}norm2.\2"),
    Rule(rf"{_BLOCK}attention\.attention\.qkv\.(\w+)", rf"{_OURS}attn.qkv.\2"),
    Rule(rf"{_BLOCK}attention\.attention\.query\.bias", rf"{_OURS}attn.q_bias"),
    Rule(rf"{_BLOCK}attention\.attention\.value\.bias", rf"{_OURS}attn.v_bias"),
    Rule(rf"{_BLOCK}attention\.output\.dense\.(\w+)", rf"{_OURS}attn.proj.\2"),
    Rule(rf"{_BLOCK}intermediate\.dense\.(\w+)", rf"{_OURS}mlp.fc1.\2"),
    Rule(rf"{_BLOCK}output\.dense\.(\w+)", rf"{_OURS}mlp.fc2.\2"),
)


def beit_encoder(options: Mapping[str, Any], source: str) -> Encoder:
    """What a `backbone_config` of the type "beit" says.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    values = read_options(options, DEFAULTS, source)
    check_options(options, FIXED, source)
    sizes = {
        "img_size": read_side(values, "image_size", source),
        "patch_size": read_side(values, "patch_size", source),
        "embed_dim": values["hidden_size"],
        "depth": values["num_hidden_layers"],
        "num_heads": values["num_attention_heads"],
    }
    name, arguments = timm_backbone(sizes, values["intermediate_size"], NAMES)
    levels = block_indices(options, values["num_hidden_layers"], source)
    return Encoder(
        name,
        arguments,
        levels,
        sizes["patch_size"],
        False,
        "bilinear",
        RULES,
        BLOCKS,
        attention_names(BLOCKS, levels[-1]),
        joined=("weight",),  # key has no bias
    )
