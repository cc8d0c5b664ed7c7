"""BEiT, whose attention has a learnt bias for each distance between two tokens."""

from collections.abc import Sequence

import torch
from timm.models.beit import Beit
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.models.levels import Backbone, Level, LevelInfo, check_blocks
from lseg.models.tokens import resample_positions, token_levels


class BeitBackbone(Backbone):
    """Levels are the outputs of four blocks of timm's `Beit`, before the final norm.

    timm's own attention is tied to one grid. Here each block is handed the bias of the grid of the
    pixels, out of tables that are resampled to it (bilinear, as MiDaS and transformers do it).
    """

    def __init__(self, vit: Beit, blocks: Sequence[int]) -> None:
        """`vit` loses its head, final norm and unused blocks, and its tables to `tables`."""
        super().__init__()
        check_blocks(vit.blocks, blocks)
        vit.prune_intermediate_layers(list(blocks), prune_norm=True, prune_head=True)
        vit.patch_embed.strict_img_size = False  # positions are resampled below for any grid
        # One table a block, or one for all (BEiT's `use_shared_rel_pos_bias`).
        sources = [block.attn for block in vit.blocks]
        if vit.rel_pos_bias is not None:
            sources, vit.rel_pos_bias = [vit.rel_pos_bias], None
        elif sources[0].relative_position_bias_table is None:
            sources = []
        self.tables = nn.ParameterList(source.relative_position_bias_table for source in sources)
        for block in vit.blocks:
            block.attn.relative_position_bias_table = block.attn.relative_position_index = None
        self.vit = vit
        self.blocks = tuple(blocks)
        self.has_readout = True
        stride = vit.patch_embed.patch_size[0]
        self.levels = (LevelInfo(vit.embed_dim, stride, tokens=True),) * len(blocks)

    @property
    def repeated(self) -> nn.Module:
        """See `Backbone`."""
        return self.vit.blocks

    def forward(self, pixels: Tensor) -> list[Level]:
        """See `Backbone`."""
        vit, grid = self.vit, self.vit.patch_embed.dynamic_feat_size(pixels.shape[-2:])
        old_grid = vit.patch_embed.grid_size
        tokens = vit.patch_embed(pixels)  # (B, hw, D)
        tokens = torch.cat([vit.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        if vit.pos_embed is not None:
            tokens = tokens + resample_positions(vit.pos_embed, old_grid, grid, prefix=1)
        tokens = vit.pos_drop(tokens)
        index = distance_index(grid, pixels.device)
        biases = [distance_bias(table, old_grid, grid, index) for table in self.tables]
        outputs = []
        for number, block in enumerate(vit.blocks):
            bias = biases[number % len(biases)] if biases else None
            tokens = block(tokens, shared_rel_pos_bias=bias)
            if number in self.blocks:
                outputs.append((tokens[:, 1:], tokens[:, :1]))
        return token_levels(outputs, grid, prefixed=True, has_readout=True)


def distance_bias(
    table: Tensor, old_grid: tuple[int, int], grid: tuple[int, int], index: Tensor
) -> Tensor:
    """What is added to the logits of attention, of every pair of tokens.

    Args:
        table: ((2h - 1)(2w - 1) + 3, heads) of the old grid (h, w): one row a distance, then those
            from the class token, to it, and of it to itself.
        old_grid: Rows and columns of tokens that the table is for.
        grid: Rows and columns of tokens that are wanted.
        index: `distance_index(grid)`.

    Returns:
        (1, heads, N, N), where N is one more than the tokens of the grid.
    """
    old, new = ((2 * rows - 1, 2 * columns - 1) for rows, columns in (old_grid, grid))
    spatial, rest = table[:-3], table[-3:]
    spatial = spatial.reshape(1, *old, -1).permute(0, 3, 1, 2)
    spatial = F.interpolate(spatial, size=new, mode="bilinear", align_corners=False)
    rows = torch.cat([spatial[0].flatten(1).T, rest])
    return rows[index].permute(2, 0, 1).unsqueeze(0)


def distance_index(grid: tuple[int, int], device: torch.device) -> Tensor:
    """Row (N, N) of a table of this grid for every pair of tokens, the class token first."""
    rows, columns = grid
    # Not by // and %, which no program has for a number that it learns with the picture.
    row = torch.arange(rows, device=device)[:, None].expand(rows, columns).flatten()
    column = torch.arange(columns, device=device)[None].expand(rows, columns).flatten()
    down = row[:, None] - row[None] + rows - 1
    right = column[:, None] - column[None] + columns - 1
    between = down * (2 * columns - 1) + right  # (hw, hw)
    first = (2 * rows - 1) * (2 * columns - 1)
    index = F.pad(between, (1, 0, 1, 0))
    index[0, :], index[:, 0] = first, first + 1
    index[0, 0] = first + 2
    return index
