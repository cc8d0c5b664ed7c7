"""The image encoders that a "dpt" folder describes by itself: a plain ViT, or one on a ResNet stem.

`layer_norm_eps` is 1e-12 in the published folders, but their weights were trained with 1e-6, which
is what they get here (at most 1.7e-3 in the output).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lseg.convert.huggingface.encoder import (
    UNUSED_TOP,
    VIT,
    Encoder,
    attention_names,
    timm_backbone,
)
from lseg.convert.huggingface.fields import (
    check_options,
    read_mapping,
    read_options,
    read_side,
    wrong_option,
)
from lseg.convert.keymap import Rule

# Options that are read, with their meaning where a folder leaves them out.
DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "image_size": 384,
    "patch_size": 16,
    "qkv_bias": True,
    "is_hybrid": False,
    "backbone_out_indices": [2, 5, 8, 11],
}

# Options that networks here do not have, or not with every value, and the values that will do.
FIXED: dict[str, Sequence[Any]] = {
    "num_channels": [3],
    "hidden_act": ["gelu"],
    "layer_norm_eps": [1e-6, 1e-12],
}
FIXED_HYBRID: dict[str, Sequence[Any]] = {
    "patch_size": [16, [16, 16]],
    "readout_type": ["project"],
    "neck_ignore_stages": [[0, 1]],
}
FIXED_STEM: dict[str, Sequence[Any]] = {  # timm's hybrid has one stem
    "model_type": ["bit"],
    "depths": [[3, 4, 9]],
    "hidden_sizes": [[256, 512, 1024], [256, 512, 1024, 2048]],
    "embedding_size": [64],
    "num_groups": [32],
    "width_factor": [1],
    "layer_type": ["bottleneck"],
    "global_padding": ["SAME", "same"],
    "embedding_dynamic_padding": [True],
    "hidden_act": ["relu"],
    "output_stride": [32, 16],
    "out_features": [["stage1", "stage2", "stage3"]],
}

PLAIN = ("vit_base_patch16_384", "vit_base_patch32_384", "vit_large_patch16_384")
HYBRID = ("vit_base_r50_s16_384",)

BLOCKS = "dpt.encoder.layer."
STEM = r"dpt\.embeddings\.backbone\.bit\."
_BLOCK, _OURS = r"dpt\.encoder\.layer\.(\d+)\.", rf"{VIT}blocks.\1."

RULES = (
    Rule(r"dpt\.(layernorm|pooler\.dense)\.\w+", None, UNUSED_TOP),
    Rule(r"dpt\.embeddings\.cls_token", f"{VIT}cls_token"),
    Rule(r"dpt\.embeddings\.position_embeddings", f"{VIT}pos_embed"),
    Rule(
        r"dpt\.embeddings\.(?:patch_embeddings\.)?projection\.(\w+)", rf"{VIT}patch_embed.proj.\1"
    ),
    Rule(rf"{STEM}embedder\.convolution\.(\w+)", r"trunk.backbone.stem.stem.conv.\1"),
    Rule(rf"{STEM}embedder\.norm\.(\w+)", r"trunk.backbone.stem.stem.norm.\1"),
    Rule(
        rf"{STEM}encoder\.stages\.(\d+)\.layers\.(\d+)\.(.+)",
        r"trunk.backbone.stem.stages.\1.blocks.\2.\3",
    ),
    Rule(rf"{_BLOCK}layernorm_before\.(\w+)", rf"{_OURS}norm1.\2"),
    Rule(rf"{_BLOCK}layernorm_after\.(\w+)", rf"{_OURS}norm2.\2"),
    Rule(rf"{_BLOCK}attention\.attention\.qkv\.(\w+)", rf"{_OURS}attn.qkv.\2"),
    Rule(rf"{_BLOCK}attention\.output\.dense\.(\w+)", rf"{_OURS}attn.proj.\2"),
    Rule(rf"{_BLOCK}intermediate\.dense\.(\w+)", rf"{_OURS}mlp.fc1.\2"),
    Rule(rf"{_BLOCK}output\.dense\.(\w+)", rf"{_OURS}mlp.fc2.\2"),
)


def vit_encoder(options: Mapping[str, Any], source: str) -> Encoder:
    """What `config.json` says about its own image encoder.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    values = read_options(options, DEFAULTS, source)
    hybrid, depth = values["is_hybrid"], values["num_hidden_layers"]
    check_options(options, FIXED, source)
    if hybrid:
        check_options(options, FIXED_HYBRID, source)
        stem = read_mapping(options, "backbone_config", source)
        check_options(stem, FIXED_STEM, f"{source}, backbone_config")
    first = 2 if hybrid else 0  # the two finest levels of a hybrid come from its stem
    indices = values["backbone_out_indices"]
    blocks = sorted(set(indices[first:]))  # they are taken in the order of the blocks
    if len(blocks) != 4 - first or not 0 <= blocks[0] <= blocks[-1] < depth:
        raise wrong_option(source, "backbone_out_indices", indices, [f"four of 0 to {depth - 1}"])
    patch = read_side(values, "patch_size", source)
    sizes = {
        "img_size": read_side(values, "image_size", source),
        "patch_size": patch,
        "embed_dim": values["hidden_size"],
        "depth": depth,
        "num_heads": values["num_attention_heads"],
        "qkv_bias": values["qkv_bias"],
    }
    names = HYBRID if hybrid else PLAIN
    name, arguments = timm_backbone(sizes, values["intermediate_size"], names)
    levels = [*range(first), *blocks]
    return Encoder(
        name,
        arguments,
        (levels[0], levels[1], levels[2], levels[3]),
        patch,
        False,
        "bilinear",
        RULES,
        BLOCKS,
        attention_names(BLOCKS, levels[-1]),
        stem_levels=first,
    )
