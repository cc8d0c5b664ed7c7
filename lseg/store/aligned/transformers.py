"""A folder in the layout of the transformers library: CLIP, SigLIP and SigLIP 2, TIPSv2.

The image side is read here and needs no such library; the text side is the library's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lseg.config import Positions
from lseg.errors import CheckpointError
from lseg.files import read_json
from lseg.store.aligned.parts import (
    PHOTO,
    TCL,
    exponent,
    stored_encoder,
    zeros,
)
from lseg.store.aligned.vit import PROJECT, VIT, image_weights, patch_positions, vit_options
from lseg.store.folder import StoredNetwork
from lseg.store.keymap import Rule, Source
from lseg.store.sharded import read_sharded
from lseg.text.location import TRANSFORMERS

CONFIG = "config.json"

_LAYER = r"vision_model\.encoder\.layers\.(\d+)\."
_TEXT = Rule(r"(?:text_model\.|text_projection|logit_|text_encoder\.|temperature).*", None, "text")

LAYER_RULES = (
    Rule(r"vision_model\.embeddings\.position_ids", None, "a count"),
    Rule(r"vision_model\.embeddings\.patch_embedding\.(weight|bias)", rf"{VIT}patch_embed.proj.\1"),
    Rule(r"vision_model\.embeddings\.position_embedding\.weight", rf"{VIT}pos_embed"),
    Rule(rf"{_LAYER}self_attn\.(q|k|v)_proj\.(weight|bias)", rf"{VIT}blocks.\1.attn.\2.\3"),
    Rule(rf"{_LAYER}self_attn\.out_proj\.(weight|bias)", rf"{VIT}blocks.\1.attn.proj.\2"),
    Rule(rf"{_LAYER}layer_norm(1|2)\.(weight|bias)", rf"{VIT}blocks.\1.norm\2.\3"),
    Rule(rf"{_LAYER}mlp\.fc(1|2)\.(weight|bias)", rf"{VIT}blocks.\1.mlp.fc\2.\3"),
    Rule(r"vision_model\.post_layernorm\.(weight|bias)", rf"{VIT}norm.\1"),
    _TEXT,
)

CLIP_RULES = (
    Rule(r"vision_model\.embeddings\.class_embedding", rf"{VIT}cls_token"),
    Rule(r"vision_model\.pre_layrnorm\.(weight|bias)", rf"{VIT}norm_pre.\1"),
    Rule(r"visual_projection\.weight", rf"{PROJECT}weight"),
    *LAYER_RULES,
)

SIGLIP_RULES = (
    Rule(r"vision_model\.head\.probe", rf"{VIT}attn_pool.latent"),
    Rule(r"vision_model\.head\.attention\.in_proj_(weight|bias)", rf"{VIT}attn_pool.in.\1"),
    Rule(r"vision_model\.head\.attention\.out_proj\.(weight|bias)", rf"{VIT}attn_pool.proj.\1"),
    Rule(r"vision_model\.head\.layernorm\.(weight|bias)", rf"{VIT}attn_pool.norm.\1"),
    Rule(r"vision_model\.head\.mlp\.fc(1|2)\.(weight|bias)", rf"{VIT}attn_pool.mlp.fc\1.\2"),
    *LAYER_RULES,
)

_OWN = r"vision_encoder\.blocks\.(\d+)\."
_LIBRARY = r"vision_model\.encoder\.layer\.(\d+)\."

TIPSV2_RULES = (
    # As their authors publish them ...
    Rule(r"vision_encoder\.mask_token", None, "pretraining"),
    Rule(r"vision_encoder\.(cls_token|pos_embed)", rf"{VIT}\1"),
    Rule(r"vision_encoder\.register_tokens", rf"{VIT}reg_token"),
    Rule(r"vision_encoder\.patch_embed\.proj\.(weight|bias)", rf"{VIT}patch_embed.proj.\1"),
    Rule(rf"{_OWN}(norm1|norm2|attn\.qkv|attn\.proj)\.(weight|bias)", rf"{VIT}blocks.\1.\2.\3"),
    Rule(rf"{_OWN}(ls1|ls2)\.(gamma)", rf"{VIT}blocks.\1.\2.\3"),
    Rule(rf"{_OWN}mlp\.(?:fc1|c_fc|w12)\.(weight|bias)", rf"{VIT}blocks.\1.mlp.fc1.\2"),
    Rule(rf"{_OWN}mlp\.(?:fc2|c_proj|w3)\.(weight|bias)", rf"{VIT}blocks.\1.mlp.fc2.\2"),
    Rule(r"vision_encoder\.norm\.(weight|bias)", rf"{VIT}norm.\1"),
    # ... and as the library calls them.
    Rule(r"vision_model\.embeddings\.mask_token", None, "pretraining"),
    Rule(r"vision_model\.embeddings\.cls_token", rf"{VIT}cls_token"),
    Rule(r"vision_model\.embeddings\.position_embeddings", rf"{VIT}pos_embed"),
    Rule(r"vision_model\.embeddings\.register_tokens", rf"{VIT}reg_token"),
    Rule(
        r"vision_model\.embeddings\.patch_embeddings\.projection\.(weight|bias)",
        rf"{VIT}patch_embed.proj.\1",
    ),
    Rule(rf"{_LIBRARY}norm(1|2)\.(weight|bias)", rf"{VIT}blocks.\1.norm\2.\3"),
    Rule(rf"{_LIBRARY}attention\.(q|k|v)_proj\.(weight|bias)", rf"{VIT}blocks.\1.attn.\2.\3"),
    Rule(rf"{_LIBRARY}attention\.o_proj\.(weight|bias)", rf"{VIT}blocks.\1.attn.proj.\2"),
    Rule(rf"{_LIBRARY}layer_scale(1|2)\.lambda1", rf"{VIT}blocks.\1.ls\2.gamma"),
    Rule(rf"{_LIBRARY}mlp\.fc(1|2)\.(weight|bias)", rf"{VIT}blocks.\1.mlp.fc\2.\3"),
    Rule(rf"{_LIBRARY}mlp\.gate_proj\.(weight|bias)", rf"{VIT}blocks.\1.mlp.gate.\2"),
    Rule(rf"{_LIBRARY}mlp\.up_proj\.(weight|bias)", rf"{VIT}blocks.\1.mlp.up.\2"),
    Rule(rf"{_LIBRARY}mlp\.down_proj\.(weight|bias)", rf"{VIT}blocks.\1.mlp.fc2.\2"),
    Rule(r"vision_model\.layernorm\.(weight|bias)", rf"{VIT}norm.\1"),
    _TEXT,
)

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
"""Any of these holds the vocabulary."""

HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Family:
    """What the encoders of one model type have in common; defaults are those of the library.

    Attributes:
        name: What people call them.
        rules: Key map of the image side.
        activation: Of the perceptrons.
        eps: Of the norms.
        positions: How position embeddings are brought to another grid.
        mean: Of pixels, where the preprocessor does not tell it.
        std: Likewise.
        templates: Prompts that the authors use.
        heads: Of the attention, by the width of the tokens, where the configuration does not tell.
        licence: Of the published weights, where all have one.
    """

    name: str
    rules: Sequence[Rule]
    activation: str
    eps: float
    positions: Positions
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    templates: tuple[str, ...]
    heads: Mapping[int, int] = field(default_factory=dict)
    licence: str = ""


FAMILIES = {
    "clip": Family(
        "CLIP", CLIP_RULES, "quick_gelu", 1e-5, "bicubic",
        (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711), PHOTO,
    ),
    "siglip": Family(
        "SigLIP", SIGLIP_RULES, "gelu_pytorch_tanh", 1e-6, "bicubic", HALF, HALF,
        ("This is a photo of {}.",),
    ),
    "tipsv2": Family(
        "TIPSv2", TIPSV2_RULES, "gelu", 1e-6, "antialiased", (0, 0, 0), (1, 1, 1), TCL,
        {768: 12, 1024: 16, 1152: 16, 1536: 24}, "cc-by-4.0",
    ),
}  # fmt: skip
"""By the `model_type` of their configurations. SigLIP 2 at fixed sizes is of the type `siglip`."""

ACTIVATIONS = {"gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh"}
"""What timm calls activations of the library, where the names differ."""


def read_transformers(folder: Path) -> StoredNetwork:
    """An encoder of one of the `FAMILIES`.

    Raises:
        CheckpointError: If a file is missing or damaged, or a weight is unknown.
    """
    values = read_json(folder / CONFIG)
    family = FAMILIES[values["model_type"]]
    source = Source(str(folder))
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise CheckpointError(f"{folder} has no tokenizer: {' or '.join(TOKENIZERS)}")
    weights = read_sharded(folder, "model")
    image = image_weights(weights, family.rules, source)
    patch_positions(image, source)
    split_pool(image)
    join_gates(image)
    if f"{PROJECT}weight" in image:
        image[f"{PROJECT}bias"] = zeros(len(image[f"{PROJECT}weight"]))
    vision = values.get("vision_config") or {}
    token = image.get(f"{VIT}patch_embed.proj.weight")
    if token is None:
        raise CheckpointError(f"{folder} holds no image encoder of {family.name}")
    heads = vision.get("num_attention_heads") or family.heads.get(len(token), 12)
    options = vit_options(image, heads, source)
    if options["pre_norm"] is False and f"{VIT}patch_embed.proj.bias" not in image:
        image[f"{VIT}patch_embed.proj.bias"] = zeros(options["embed_dim"])
    gated = image[f"{VIT}blocks.0.mlp.fc2.weight"].shape[1] * 2 == len(
        image[f"{VIT}blocks.0.mlp.fc1.weight"]
    )
    if not gated:
        activation = vision.get("hidden_act") or family.activation
        options["act_layer"] = ACTIVATIONS.get(activation, activation)
    size, patch = options["img_size"], options["patch_size"]
    return stored_encoder(
        folder,
        {
            "backbone": "vit_giant_patch14_reg1_tipsv2" if gated else "vit_base_patch16_224",
            "backbone_options": options,
            "norm_eps": vision.get("layer_norm_eps") or family.eps,
            "positions": family.positions,
        },
        image,
        {"model": f"{TRANSFORMERS}{folder}", "pretrained": None, "templates": family.templates},
        {**preprocessor(folder, family), "size": size},
        logit_scale(weights, values),
        f"{family.name}, patches of {patch} pixels, trained on pictures of {size} pixels and their "
        "captions: labels are free text.",
        family.licence,
    )


def preprocessor(folder: Path, family: Family) -> dict[str, Any]:
    """Mean and deviation, as the folder's preprocessor says, or else the family's."""
    file = folder / "preprocessor_config.json"
    told = read_json(file) if file.is_file() else {}
    if told.get("do_normalize") is False:
        return {"mean": (0, 0, 0), "std": (1, 1, 1)}
    return {
        "mean": told.get("image_mean") or family.mean,
        "std": told.get("image_std") or family.std,
    }


def logit_scale(weights: Mapping[str, Tensor], values: Mapping[str, Any]) -> float:
    """Factor of the cosine: stored as a logarithm, or as a temperature."""
    temperature = weights.get("temperature")
    if temperature is not None:
        return 1 / float(temperature)
    if "temperature_init_value" in values or values["model_type"] == "tipsv2":
        return 1 / float(values.get("temperature_init_value", 0.005065968260169029))
    return exponent(weights, "logit_scale", 100.0)


def split_pool(image: dict[str, Tensor]) -> None:
    """Attention pooling with one matrix for queries, keys and values, as timm has it: two."""
    for part in ("weight", "bias"):
        whole = image.pop(f"{VIT}attn_pool.in.{part}", None)
        if whole is not None:
            width = len(whole) // 3
            image[f"{VIT}attn_pool.q.{part}"] = whole[:width].clone()
            image[f"{VIT}attn_pool.kv.{part}"] = whole[width:].clone()


def join_gates(image: dict[str, Tensor]) -> None:
    """Gated perceptrons with two matrices, as timm has them: one."""
    for name in [name for name in image if ".mlp.gate." in name]:
        both = [image.pop(name), image.pop(name.replace(".gate.", ".up."))]
        image[name.replace(".gate.", ".fc1.")] = torch.cat(both)
