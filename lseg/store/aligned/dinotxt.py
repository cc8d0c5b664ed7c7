"""dino.txt: a DINOv2 or DINOv3 with blocks and a text tower, in files as its authors publish them.

facebookresearch/dinov2 has it in three (backbone, vision head, text encoder), facebookresearch/
dinov3 in two (backbone; the rest), in one folder where torch.hub puts them. Whose they are is told
by their names; what they hold, by their keys.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lseg.config import IMAGENET_MEAN, IMAGENET_STD
from lseg.errors import CheckpointError
from lseg.store.aligned.parts import exponent, stored_encoder
from lseg.store.aligned.vit import PROJECT, VIT, image_weights, patch_positions, vit_options
from lseg.store.folder import StoredNetwork
from lseg.store.foreign import read_state_dict
from lseg.store.keymap import Rule, Source
from lseg.text.dinotxt import HEAD_WIDTH, TEXT_SIDE, is_text_side
from lseg.text.location import DINOTXT
from lseg.text.templates import named_templates

MARK, BACKBONE = "_dinotxt", "_pretrain"
"""In the names of files: of what was trained with text, and of what was there before. What stands
before them says which network it is, such as `dinov2_vitl14_reg4`."""

SUFFIXES = (".pth", ".pt", ".safetensors")
HEAD = "trunk.backbone.head."
_TRUNK = r"visual_model\.backbone\."
_BLOCK = rf"{_TRUNK}blocks\.(\d+)\."
_TOP = r"visual_model\.head\."
_TOP_BLOCK = rf"{_TOP}(?:blocks|block_list)\.(\d+)\."
_MASK = "attn.qkv.bias_mask"

SHARED_RULES = (
    Rule(rf"{_TRUNK}mask_token", None, "pretraining"),
    Rule(rf"{_TRUNK}local_cls_norm\..*", None, "pretraining"),
    Rule(rf"{_TRUNK}cls_token", rf"{VIT}cls_token"),
    Rule(rf"{_TRUNK}(?:register_tokens|storage_tokens)", rf"{VIT}reg_token"),
    Rule(rf"{_TRUNK}patch_embed\.proj\.(weight|bias)", rf"{VIT}patch_embed.proj.\1"),
    Rule(rf"{_BLOCK}(norm1|norm2|attn\.qkv|attn\.proj)\.(weight|bias)", rf"{VIT}blocks.\1.\2.\3"),
    Rule(rf"{_BLOCK}mlp\.(fc1|fc2)\.(weight|bias)", rf"{VIT}blocks.\1.mlp.\2.\3"),
    Rule(rf"{_TRUNK}norm\.(weight|bias)", rf"{VIT}norm.\1"),
    Rule(rf"{_TOP_BLOCK}(norm1|norm2)\.(weight|bias)", rf"{HEAD}blocks.\1.\2.\3"),
    Rule(rf"{_TOP_BLOCK}attn\.(qkv|proj)\.(weight|bias)", rf"{HEAD}blocks.\1.attn.\2.\3"),
    Rule(rf"{_TOP_BLOCK}(ls1|ls2)\.gamma", rf"{HEAD}blocks.\1.\2.gamma"),
    Rule(rf"{_TOP_BLOCK}mlp\.w1\.(weight|bias)", rf"{HEAD}blocks.\1.mlp.fc1_g.\2"),
    Rule(rf"{_TOP_BLOCK}mlp\.w2\.(weight|bias)", rf"{HEAD}blocks.\1.mlp.fc1_x.\2"),
    Rule(rf"{_TOP_BLOCK}mlp\.w3\.(weight|bias)", rf"{HEAD}blocks.\1.mlp.fc2.\2"),
    Rule(rf"{_TOP}ln_final\.(weight|bias)", rf"{HEAD}norm.\1"),
    Rule(rf"{_TOP}linear_projection\.(weight|bias)", rf"{PROJECT}\1"),
    Rule(r"text_model\..*|logit_.*", None, "text side"),
)

DINOV2_RULES = (
    Rule(rf"{_TRUNK}pos_embed", rf"{VIT}pos_embed"),
    Rule(rf"{_BLOCK}(ls1|ls2)\.gamma", rf"{VIT}blocks.\1.\2.gamma"),
    *SHARED_RULES,
)

DINOV3_RULES = (
    Rule(rf"{_TRUNK}rope_embed\.periods", "trunk.backbone.rotary.periods"),
    Rule(rf"{_BLOCK}ls(1|2)\.gamma", rf"{VIT}blocks.\1.gamma_\2"),
    Rule(rf"{_BLOCK}attn\.qkv\.bias_mask", rf"{VIT}blocks.\1.{_MASK}"),
    *SHARED_RULES,
)


def is_dinotxt(path: Path) -> bool:
    """Whether a file is one of a dino.txt, or a folder of no other kind has one, going by names."""
    if path.is_dir():
        own = (file for file in path.glob(f"*{MARK}*") if file.is_file())
        return not (path / "config.json").is_file() and any(map(is_dinotxt, own))
    return MARK in path.name and path.suffix in SUFFIXES


def read_dinotxt(path: Path) -> StoredNetwork:
    """A dino.txt.

    Args:
        path: Its folder, or one of its files, beside which the others lie.

    Raises:
        CheckpointError: If a part is missing, there twice, damaged, or of another network.
    """
    source = Source(str(path))
    files = files_of(path)
    parts: dict[str, Tensor] = {}
    text: Path | None = None
    for file in files:
        found = part_of(file)
        both = next((name for name in found if name in parts), None)
        if both is not None:
            raise CheckpointError(f"{source}: {file.name} holds what another file does, {both!r}")
        parts.update(found)
        text = file if any(name.startswith(TEXT_SIDE) for name in found) else text
    for part, name in (
        ("visual_model.backbone.", f"backbone, NAME{BACKBONE}*.pth"),
        ("visual_model.head.", f"vision head, NAME{MARK}*vision_head*.pth"),
        (TEXT_SIDE, f"text encoder, NAME{MARK}*text_encoder*.pth"),
    ):
        if not any(key.startswith(part) for key in parts):
            raise CheckpointError(
                f"{source} lacks its {name}: put it beside {', '.join(f.name for f in files)}"
            )
    assert text is not None
    rotary = "visual_model.backbone.rope_embed.periods" in parts
    image = image_weights(parts, DINOV3_RULES if rotary else DINOV2_RULES, source)
    if rotary:
        mask_biases(image)
    else:
        patch_positions(image, source)
    encoder = _dinov3(image, source) if rotary else _dinov2(image, source)
    patch = encoder["backbone_options"]["patch_size"]
    name, licence = ("DINOv3", "dinov3-license") if rotary else ("DINOv2", "apache-2.0")
    return stored_encoder(
        text.parent,
        {**encoder, "head": _head(image, source), "attention": "full"},
        image,
        {
            "model": f"{DINOTXT}{text}",
            "pretrained": None,
            "templates": named_templates("imagenet80"),
        },
        {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "size": 512 // patch * patch},
        exponent(parts, "logit_scale", 1 / 0.07),
        f"dino.txt: a {name} with patches of {patch} pixels, under blocks that met captions: "
        "labels are free text.",
        licence,
    )


def files_of(path: Path) -> list[Path]:
    """The files of the one network that a file or folder names.

    Raises:
        CheckpointError: If there are several networks.
    """
    folder = path if path.is_dir() else path.parent
    marked = [path] if path.is_file() else list(filter(is_dinotxt, folder.glob(f"*{MARK}*")))
    names = sorted({file.name.split(MARK)[0] for file in marked})
    if len(names) > 1:
        raise CheckpointError(
            f"{folder} holds several networks, {', '.join(names)}: give one of the files of one"
        )
    starts = f"{names[0]}{MARK}", f"{names[0]}{BACKBONE}"
    return sorted(
        file
        for file in folder.iterdir()
        if file.name.startswith(starts) and file.suffix in SUFFIXES
    )


def part_of(file: Path) -> dict[str, Tensor]:
    """What a file holds, under the names that its weights have in the whole network.

    Raises:
        CheckpointError: If it cannot be read, or is no part of a dino.txt.
    """
    weights = read_state_dict(file)
    if any(name.startswith(("visual_model.", TEXT_SIDE)) for name in weights):
        wrapped = "visual_model.backbone.model."
        return {name.replace(wrapped, "visual_model.backbone."): weights[name] for name in weights}
    if "patch_embed.proj.weight" in weights:
        prefix = "visual_model.backbone."
    elif is_text_side(weights):
        prefix = TEXT_SIDE
    elif "ln_final.weight" in weights:
        prefix = "visual_model.head."
    else:
        raise CheckpointError(
            f"{file} is no part of a dino.txt: its first weight is {next(iter(weights))!r}"
        )
    return {prefix + name: value for name, value in weights.items()}


def mask_biases(image: dict[str, Tensor]) -> None:
    """Biases that are computed with a mask (there is none of keys), as they come out of it."""
    for name in [name for name in image if name.endswith(_MASK)]:
        bias = name.removesuffix("_mask")
        image[bias] = image[bias] * image.pop(name)


def _dinov2(image: Mapping[str, Tensor], source: Source) -> dict[str, Any]:
    width = image[f"{VIT}pos_embed"].shape[-1]
    return {
        "backbone": "vit_large_patch14_reg4_dinov2",
        "backbone_options": vit_options(image, width // HEAD_WIDTH, source),
        "norm_eps": 1e-6,
        "positions": "bicubic-antialiased",
    }


def _dinov3(image: Mapping[str, Tensor], source: Source) -> dict[str, Any]:
    patch = _shape(image, f"{VIT}patch_embed.proj.weight", source)
    registers = image.get(f"{VIT}reg_token")
    width = patch[0]
    options = {
        "patch_size": patch[-1],
        "embed_dim": width,
        "depth": _count(image, f"{VIT}blocks."),
        "num_heads": width // HEAD_WIDTH,
        "mlp_ratio": (_shape(image, f"{VIT}blocks.0.mlp.fc1.weight", source)[0] + 0.25) / width,
        "num_reg_tokens": 0 if registers is None else registers.shape[1],
        "attn_type": "rope",
        "use_rot_pos_emb": False,  # they are computed beside it
        "dynamic_img_size": False,
        "qkv_bias": True,
    }
    return {"backbone": "vit_large_patch16_dinov3", "backbone_options": options}


def _head(image: Mapping[str, Tensor], source: Source) -> dict[str, int]:
    hidden = _shape(image, f"{HEAD}blocks.0.mlp.fc1_g.weight", source)[0]
    return {"blocks": _count(image, f"{HEAD}blocks."), "hidden": hidden}


def _count(image: Mapping[str, Tensor], row: str) -> int:
    """How many blocks a row of them has."""
    return len({name.removeprefix(row).split(".")[0] for name in image if name.startswith(row)})


def _shape(image: Mapping[str, Tensor], name: str, source: Source) -> tuple[int, ...]:
    if name not in image:
        raise CheckpointError(f"{source} lacks a weight of the image encoder, timm's {name!r}")
    return tuple(image[name].shape)
