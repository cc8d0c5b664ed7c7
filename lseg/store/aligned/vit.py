"""Weights of a plain vision transformer in timm's names: put right, and asked for its sizes."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lseg.errors import CheckpointError
from lseg.store.keymap import Rule, Source, rename_keys

VIT = "trunk.backbone.vit."
"""Before the names of the image encoder's weights in an `AlignedEncoder`."""

PROJECT = "project."
"""Before those of the linear map from its features to embeddings."""


def image_weights(
    weights: Mapping[str, Tensor], rules: Sequence[Rule], source: Source
) -> dict[str, Tensor]:
    """Foreign weights under the names of an `AlignedEncoder`; those of its text side are dropped.

    Queries, keys and values become one matrix.

    Raises:
        CheckpointError: Naming the first key that no rule matches.
    """
    found = {new: weights[old] for old, new in rename_keys(weights, rules, source).kept.items()}
    for name in [name for name in found if re.search(r"\.attn\.q\.", name)]:
        parts = [name.replace(".attn.q.", f".attn.{part}.") for part in "qkv"]
        missing = next((part for part in parts if part not in found), None)
        if missing is not None:
            raise CheckpointError(f"{source} lacks the weight {missing!r}, beside {name!r}")
        found[name.replace(".attn.q.", ".attn.qkv.")] = torch.cat([found.pop(p) for p in parts])
    return {name: value.contiguous() for name, value in found.items()}


def patch_positions(image: dict[str, Tensor], source: Source) -> None:
    """Leaves patches alone in the table of positions.

    What is added to the class token goes into the token, for it is the same at every size.

    Raises:
        CheckpointError: If there is no table.
    """
    positions, token = image.get(f"{VIT}pos_embed"), image.get(f"{VIT}cls_token")
    if positions is None:
        raise CheckpointError(f"{source} has no position embeddings")
    positions = positions.reshape(1, -1, positions.shape[-1])
    if token is not None:
        image[f"{VIT}cls_token"] = token.reshape(1, 1, -1) + positions[:, :1]
        positions = positions[:, 1:].contiguous()
    image[f"{VIT}pos_embed"] = positions


def vit_options(weights: Mapping[str, Tensor], heads: int, source: Source) -> dict[str, Any]:
    """Arguments of timm's `VisionTransformer`, as weights in its names tell them.

    Args:
        weights: From `image_weights`.
        heads: Of the attention; the one size that no weight tells.
        source: For errors.

    Raises:
        CheckpointError: If a weight that tells a size is missing.
    """
    patch = _shape(weights, "patch_embed.proj.weight", source, 4)
    hidden = _shape(weights, "blocks.0.mlp.fc1.weight", source, 2)[0]
    positions = _shape(weights, "pos_embed", source, 3)[1]
    grid = math.isqrt(positions)
    if grid * grid != positions:
        raise CheckpointError(f"{source} has {positions} positions, which are those of no square")
    width = patch[0]
    blocks = [re.match(re.escape(VIT) + r"blocks\.(\d+)\.", name) for name in weights]
    registers = weights.get(f"{VIT}reg_token")
    return {
        "img_size": grid * patch[-1],
        "patch_size": patch[-1],
        "embed_dim": width,
        "depth": 1 + max(int(found[1]) for found in blocks if found),
        "num_heads": heads,
        "mlp_ratio": (hidden + 0.25) / width,  # timm rounds the product down
        "class_token": f"{VIT}cls_token" in weights,
        "reg_tokens": 0 if registers is None else registers.shape[-2],
        "no_embed_class": True,
        "init_values": 1.0 if f"{VIT}blocks.0.ls1.gamma" in weights else None,
        "pre_norm": f"{VIT}norm_pre.weight" in weights,
        "global_pool": "map" if f"{VIT}attn_pool.latent" in weights else "",
    }


def _shape(weights: Mapping[str, Tensor], name: str, source: Source, ndim: int) -> tuple[int, ...]:
    found = weights.get(VIT + name)
    if found is None or found.ndim != ndim:
        raise CheckpointError(f"{source} lacks a weight of the image encoder, timm's {name!r}")
    return tuple(found.shape)
