"""Image encoders that met text through blocks on top of them (dino.txt, arXiv:2412.16334)."""

import math
from functools import partial

import torch
from timm.layers import SwiGLU
from timm.models.eva import Eva
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from lseg.config import EncoderConfig, HeadConfig
from lseg.models.aligned.encoder import PatchEncoder


class Head(nn.Module):
    """Blocks with gated perceptrons, and a norm; they see no positions of their own."""

    def __init__(self, config: HeadConfig, width: int, heads: int) -> None:
        super().__init__()
        norm = partial(nn.LayerNorm, eps=1e-5)
        self.blocks = nn.ModuleList(
            Block(
                width,
                heads,
                mlp_ratio=(config.hidden + 0.25) / width,  # timm rounds the product down
                init_values=1.0,
                norm_layer=norm,
                act_layer=nn.SiLU,
                mlp_layer=SwiGLU,
            )
            for _ in range(config.blocks)
        )
        self.norm = norm(width)


class RotaryPositions(nn.Module):
    """DINOv3's positions: patches are turned by their place in the picture, from -1 to 1.

    timm computes the same, but of periods of its own, where those of published weights are rounded;
    and its program is for one size of pictures.
    """

    periods: Tensor

    def __init__(self, head_width: int) -> None:
        super().__init__()
        self.register_buffer("periods", torch.ones(head_width // 4))

    def forward(self, grid: tuple[int, int]) -> Tensor:
        """Sines and cosines (h * w, 2 * width of a head), as timm's blocks take them."""
        rows, columns = (self._line(length) for length in grid)
        shape = *grid, len(self.periods)
        halves = rows[:, None].expand(shape), columns[None].expand(shape)
        angles = torch.cat(halves, dim=-1).flatten(0, 1).tile(2)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def _line(self, length: int) -> Tensor:
        """Angles (length, number of periods)."""
        places = torch.arange(length, device=self.periods.device, dtype=self.periods.dtype)
        return 2 * math.pi * (2 * ((places + 0.5) / length) - 1)[:, None] / self.periods


class HeadedEncoder(PatchEncoder):
    """A DINOv2 or DINOv3, whole and normed, under a head, whose last block is the one in question.

    All tokens enter the head: the class token, registers, patches.
    """

    def __init__(self, vit: VisionTransformer | Eva, config: EncoderConfig) -> None:
        """`vit` is a `VisionTransformer`, or an `Eva` without positions; see `PatchEncoder`."""
        super().__init__(vit, config)
        heads = vit.blocks[0].attn.num_heads
        self.rotary = RotaryPositions(self.width // heads) if isinstance(vit, Eva) else None
        self.head = Head(config.head, self.width, heads)

    @property
    def repeated(self) -> nn.Module:
        """See `Backbone`."""
        return self.vit.blocks

    @property
    def last(self) -> Block:
        """See `PatchEncoder`."""
        return self.head.blocks[-1]

    def before_last(self, pixels: Tensor, grid: tuple[int, int]) -> Tensor:
        """See `PatchEncoder`."""
        tokens = self.embed(pixels, grid)
        positions = {} if self.rotary is None else {"rope": self.rotary(grid)}
        for block in self.vit.blocks:
            tokens = block(tokens, **positions)
        tokens = self.vit.norm(tokens)
        for block in self.head.blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def finish(self, patches: Tensor) -> Tensor:
        """See `PatchEncoder`."""
        return self.head.norm(patches)
