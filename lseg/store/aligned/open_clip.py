"""A folder in open_clip's layout: `open_clip_config.json` and `open_clip_model.safetensors`."""

from pathlib import Path
from typing import Any

from torch import Tensor

from lseg.errors import CheckpointError
from lseg.files import read_json
from lseg.store.aligned.parts import (
    PHOTO,
    exponent,
    refuse_tokenizer_code,
    section,
    stored_encoder,
    zeros,
)
from lseg.store.aligned.vit import PROJECT, VIT, image_weights, patch_positions, vit_options
from lseg.store.folder import StoredNetwork
from lseg.store.keymap import Rule, Source
from lseg.store.sharded import read_sharded
from lseg.text.location import FOLDER

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model"

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

_TEXT = Rule(r"(?!visual\.).*", None, "text side")
_BLOCK = r"visual\.transformer\.resblocks\.(\d+)\."

CLIP_RULES = (
    Rule(r"visual\.class_embedding", rf"{VIT}cls_token"),
    Rule(r"visual\.positional_embedding", rf"{VIT}pos_embed"),
    Rule(r"visual\.conv1\.(weight)", rf"{VIT}patch_embed.proj.\1"),
    Rule(r"visual\.ln_pre\.(weight|bias)", rf"{VIT}norm_pre.\1"),
    Rule(rf"{_BLOCK}ln_(1|2)\.(weight|bias)", rf"{VIT}blocks.\1.norm\2.\3"),
    Rule(rf"{_BLOCK}attn\.in_proj_(weight|bias)", rf"{VIT}blocks.\1.attn.qkv.\2"),
    Rule(rf"{_BLOCK}attn\.out_proj\.(weight|bias)", rf"{VIT}blocks.\1.attn.proj.\2"),
    Rule(rf"{_BLOCK}ls_(1|2)\.(gamma)", rf"{VIT}blocks.\1.ls\2.\3"),
    Rule(rf"{_BLOCK}mlp\.c_fc\.(weight|bias)", rf"{VIT}blocks.\1.mlp.fc1.\2"),
    Rule(rf"{_BLOCK}mlp\.c_proj\.(weight|bias)", rf"{VIT}blocks.\1.mlp.fc2.\2"),
    Rule(r"visual\.ln_post\.(weight|bias)", rf"{VIT}norm.\1"),
    Rule(r"visual\.proj", rf"{PROJECT}weight"),
    _TEXT,
)

TIMM_RULES = (
    Rule(r"visual\.trunk\.head\.(weight|bias)", rf"{PROJECT}\1"),
    Rule(r"visual\.head\.proj\.(weight|bias)", rf"{PROJECT}\1"),
    Rule(r"visual\.trunk\.(.+)", rf"{VIT}\1"),
    _TEXT,
)

REFUSED = (
    "attentional_pool", "block_type", "qk_norm", "scaled_cosine_attn", "scale_heads",
    "scale_attn_inner", "scale_attn", "scale_fc",
)  # fmt: skip
"""What of open_clip's own vision transformer is not known here; no published model has it but
those of CoCa."""


def read_open_clip(folder: Path) -> StoredNetwork:
    """An encoder of open_clip whose image tower is a plain vision transformer.

    Raises:
        CheckpointError: If its image tower is another, or a file is missing or damaged.
    """
    file = folder / CONFIG
    values = read_json(file)
    model = section(values, "model_cfg", file)
    vision = section(model, "vision_cfg", file)
    preprocess = values.get("preprocess_cfg") or {}
    source = Source(str(folder))
    refuse_tokenizer_code(folder)
    weights = read_sharded(folder, WEIGHTS)
    name = vision.get("timm_model_name")
    if name is not None:
        encoder, image = _of_timm(vision, weights, source)
    else:
        encoder, image = _of_clip(model, vision, weights, source)
    size = vision.get("image_size", 224)
    side = min(size) if isinstance(size, list) else size
    patch = encoder["backbone_options"].get("patch_size")
    cells = f", patches of {patch} pixels" if patch else ""
    return stored_encoder(
        folder,
        encoder,
        image,
        {"model": f"{FOLDER}{folder}", "pretrained": None, "templates": PHOTO},
        {
            "mean": preprocess.get("mean") or OPENAI_MEAN,
            "std": preprocess.get("std") or OPENAI_STD,
            "size": side,
        },
        exponent(weights, "logit_scale", 100.0),
        f"A {name or 'ViT'} of open_clip{cells}, trained on pictures of {side} pixels and their "
        "captions: labels are free text.",
    )


def has_patches(values: dict[str, Any]) -> bool:
    """Whether a configuration is that of a CLIP whose image tower is no ResNet."""
    vision = (values.get("model_cfg") or {}).get("vision_cfg") or {}
    return bool(vision) and not isinstance(vision.get("layers"), list)


def _of_clip(
    model: dict[str, Any], vision: dict[str, Any], weights: dict[str, Tensor], source: Source
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """open_clip's own vision transformer."""
    found = next((option for option in REFUSED if vision.get(option)), None)
    if found is not None:
        raise CheckpointError(
            f"{source}: the image tower has {found} {vision[found]!r}, which is not supported"
        )
    image = image_weights(weights, CLIP_RULES, source)
    patch_positions(image, source)
    if f"{PROJECT}weight" not in image:
        raise CheckpointError(f"{source} lacks the weight {source.key('visual.proj')}")
    image[f"{PROJECT}weight"] = image[f"{PROJECT}weight"].T.contiguous()
    image[f"{PROJECT}bias"] = zeros(len(image[f"{PROJECT}weight"]))
    heads = int(vision.get("width", 768)) // int(vision.get("head_width", 64))
    options = vit_options(image, heads, source)
    if not options["pre_norm"]:  # timm has a bias there, then
        image[f"{VIT}patch_embed.proj.bias"] = zeros(options["embed_dim"])
    tanh = (vision.get("act_kwargs") or {}).get("approximate") == "tanh"
    options["act_layer"] = (
        "quick_gelu" if model.get("quick_gelu") else "gelu_tanh" if tanh else "gelu"
    )
    eps = (vision.get("norm_kwargs") or {}).get("eps", 1e-5)
    return {"backbone": "vit_base_patch16_224", "backbone_options": options, "norm_eps": eps}, image


def _of_timm(
    vision: dict[str, Any], weights: dict[str, Tensor], source: Source
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A vision transformer of timm's, as open_clip builds it."""
    if vision.get("timm_proj") == "mlp":
        raise CheckpointError(
            f"{source}: a perceptron follows the image tower, which is not supported"
        )
    image = image_weights(weights, TIMM_RULES, source)
    if f"{PROJECT}weight" in image:
        image.setdefault(f"{PROJECT}bias", zeros(len(image[f"{PROJECT}weight"])))
    options = {"global_pool": vision.get("timm_pool") or "avg"}
    return {"backbone": vision["timm_model_name"], "backbone_options": options}, image
