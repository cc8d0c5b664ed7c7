"""What a transformer of timm gives for some of its blocks, as levels, on any grid of patches."""

from collections.abc import Sequence
from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import Positions
from lseg.models.levels import Level


def transformer_levels(
    vit: VisionTransformer,
    pixels: Tensor,
    blocks: Sequence[int],
    level_norm: bool = False,
    positions: Positions = "bilinear",
) -> list[Level]:
    """Outputs of `blocks`, through the final norm on demand, positions resampled to the grid."""
    height, width = pixels.shape[-2:]
    grid = vit.patch_embed.dynamic_feat_size((height, width))
    prefix = 0 if vit.no_embed_class else vit.num_prefix_tokens
    table = {}
    if vit.pos_embed is not None:
        old_grid = vit.patch_embed.grid_size
        new = resample_positions(vit.pos_embed, old_grid, grid, prefix, positions)
        table["vit.pos_embed"] = new
    outputs = torch.func.functional_call(
        _Intermediates(vit), table, (pixels, list(blocks), level_norm)
    )
    prefixed = vit.num_prefix_tokens > 0
    return token_levels(outputs, grid, prefixed, has_readout=vit.cls_token is not None)


def token_levels(
    outputs: Sequence[Any], grid: tuple[int, int], prefixed: bool, has_readout: bool
) -> list[Level]:
    """What timm's transformers give for some blocks, as levels.

    Args:
        outputs: Tokens (B, hw, D) of each block; pairs of these and prefix tokens (B, P, D) where
            `prefixed`.
        grid: Rows h and columns w of tokens.
        prefixed: Whether there are class or register tokens.
        has_readout: Whether the first of them is a class token; a register is never the readout.
    """
    pairs: Sequence[Any] = outputs if prefixed else [(tokens, None) for tokens in outputs]
    # Tokens as a map in channels-last memory, which the decoder's convolutions like, cost no copy.
    return [
        Level(tokens.unflatten(1, grid).permute(0, 3, 1, 2), prefix[:, 0] if has_readout else None)
        for tokens, prefix in pairs
    ]


def resample_positions(
    table: Tensor,
    old_grid: tuple[int, int],
    new_grid: tuple[int, int],
    prefix: int,
    how: Positions = "bilinear",
) -> Tensor:
    """Position embeddings for another grid: plain bilinear, no antialiasing, as DPT does it.

    (timm's own default is bicubic with antialiasing, which gives other outputs.)

    Args:
        table: (1, prefix + old_h * old_w, D).
        old_grid: Rows and columns of the table.
        new_grid: Rows and columns that are wanted.
        prefix: How many leading entries belong to class and register tokens.
        how: See `TrunkConfig.positions`.

    Returns:
        (1, prefix + new_h * new_w, D); `table` itself where the grids agree.
    """
    if not torch.compiler.is_exporting() and tuple(old_grid) == tuple(new_grid):
        return table  # an exported program takes both ways in one, as they give the same
    tokens, spatial = table[:, :prefix], table[:, prefix:]
    spatial = spatial.reshape(1, *old_grid, -1).permute(0, 3, 1, 2)  # (1, D, old_h, old_w)
    mode = "bicubic" if how.startswith("bicubic") else "bilinear"
    antialias = how.endswith("antialiased")
    spatial = F.interpolate(spatial, new_grid, mode=mode, align_corners=False, antialias=antialias)
    return torch.cat([tokens, spatial.flatten(2).transpose(1, 2)], dim=1)


class _Intermediates(nn.Module):
    """Lets `functional_call` reach timm's `forward_intermediates`."""

    def __init__(self, vit: VisionTransformer) -> None:
        super().__init__()
        self.vit = vit

    def forward(self, pixels: Tensor, blocks: list[int], norm: bool) -> list[Tensor]:
        return self.vit.forward_intermediates(
            pixels,
            indices=blocks,
            return_prefix_tokens=True,
            norm=norm,
            output_fmt="NLC",
            intermediates_only=True,
        )
