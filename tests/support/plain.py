"""LSeg as its paper writes it down, over the weights of an `LSeg`: the oracle of the fast head.

Nothing is reordered, merged or computed in strips: projections run after the upsampling, the map of
normalised embeddings is built, and every logit exists at full resolution. `model` brings the
kernels back into PyTorch's own memory order, for those who time it.
"""

import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.models.levels import Level
from lseg.models.lseg import LSeg
from lseg.models.reassemble import ReadoutAdd, ReadoutProject, Reassemble
from lseg.models.trunk import Trunk, pad_to_multiple


def model(fast: LSeg) -> LSeg:
    """A copy of a network, its kernels in the order in which PyTorch makes them."""
    return copy.deepcopy(fast).to(memory_format=torch.contiguous_format)


def interpolate(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Bilinear with aligned corners, as everywhere in DPT."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=True)


def read(step: Reassemble, level: Level) -> Tensor:
    """Tokens and their readout token as a map (B, D, h, w)."""
    tokens = level.map.flatten(2).transpose(1, 2)  # (B, hw, D)
    if isinstance(step.read, ReadoutProject):
        readout = level.readout[:, None].expand_as(tokens)
        tokens = step.read.activation(step.read.linear(torch.cat([tokens, readout], dim=-1)))
    elif isinstance(step.read, ReadoutAdd):
        tokens = tokens + level.readout[:, None]
    return tokens.transpose(1, 2).unflatten(2, level.map.shape[-2:])


def reassemble(trunk: Trunk, levels: list[Level]) -> list[Tensor]:
    """What the backbone gives as four maps, finest first."""
    return [
        step.resample(step.project(read(step, level))) if hasattr(step, "read") else level.map
        for step, level in zip(trunk.reassemble, levels, strict=True)
    ]


def stages(trunk: Trunk, pixels: Tensor) -> dict[str, Tensor]:
    """The reassembled maps by the names of the stored references, `layer1` the finest."""
    maps = reassemble(trunk, trunk.backbone(pixels))
    return {f"layer{number}": found for number, found in enumerate(maps, start=1)}


def decode(trunk: Trunk, maps: list[Tensor]) -> Tensor:
    """Fusion, each block upsampling before it projects: (B, F, H/2, W/2)."""
    fusion, x = trunk.fusion, None
    for index in (3, 2, 1, 0):
        skip, block = fusion.level_convs[index](maps[index]), fusion.blocks[index]
        x = skip if x is None else x + block.skip_unit(skip)
        x = block.unit(x)
        size = maps[index - 1].shape[-2:] if index else [2 * side for side in x.shape[-2:]]
        x = block.project(interpolate(x, tuple(size)))
    return x


def compare(model: LSeg, features: Tensor, text: Tensor) -> Tensor:
    """Features at half resolution against unit label vectors: regularised logits (B, N, h, w)."""
    embeddings = F.normalize(model.project(features), dim=1)
    equation = "bchw,nc->bnhw" if text.ndim == 2 else "bchw,bnc->bnhw"
    logits = model.config.logit_scale * torch.einsum(equation, embeddings, text)
    return model.spatial_block(logits)


def head(model: LSeg, maps: list[Tensor], text: Tensor, size: tuple[int, ...]) -> Tensor:
    """Decoder and head: four maps to logits (B, N, *size)."""
    return interpolate(compare(model, decode(model.trunk, maps), text), size)


def logits(model: LSeg, pixels: Tensor, text: Tensor) -> Tensor:
    """(B, 3, H, W) and (N, C) or (B, N, C) to (B, N, H, W)."""
    padded, (height, width) = pad_to_multiple(pixels, model.trunk.multiple)
    maps = list(stages(model.trunk, padded).values())
    full = head(model, maps, text, tuple(padded.shape[-2:]))
    return full[..., :height, :width]
