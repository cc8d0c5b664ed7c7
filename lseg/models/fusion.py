"""DPT's decoder: RefineNet-style fusion from coarse to fine (DPT, section 3.1)."""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.models.layout import add_in_place, pointwise
from lseg.models.upsample import double_size, stretch, upsample


class ResidualConvUnit(nn.Module):
    """ReLU, 3x3, ReLU, 3x3, add; with batch norm after each convolution, which then has no bias."""

    def __init__(self, features: int, batch_norm: bool, bias: bool = True) -> None:
        super().__init__()
        bias = bias and not batch_norm
        self.conv1 = nn.Conv2d(features, features, 3, padding=1, bias=bias)
        self.norm1 = nn.BatchNorm2d(features) if batch_norm else nn.Identity()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, bias=bias)
        self.norm2 = nn.BatchNorm2d(features) if batch_norm else nn.Identity()

    @torch.no_grad()
    def become_identity(self) -> None:
        """Leaves the input as it is; the unit can learn from there."""
        last = self.norm2 if isinstance(self.norm2, nn.BatchNorm2d) else self.conv2
        for values in last.parameters():
            values.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, h, w) to the same shape."""
        y = convolve_and_normalize(self.conv1, self.norm1, x.relu())
        return add_in_place(x, convolve_and_normalize(self.conv2, self.norm2, y.relu_()))


def convolve_and_normalize(conv: nn.Conv2d, norm: nn.Module, x: Tensor) -> Tensor:
    """`norm(conv(x))`; in eval mode batch norm is part of the kernel, which saves a pass over x."""
    if not isinstance(norm, nn.BatchNorm2d) or norm.training:
        return norm(conv(x))
    assert norm.running_var is not None and norm.running_mean is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    kernel = conv.weight * scale[:, None, None, None]
    bias = norm.bias - norm.running_mean * scale
    if conv.bias is not None:
        bias = bias + conv.bias * scale
    return F.conv2d(x, kernel, bias, conv.stride, conv.padding)


class FusionBlock(nn.Module):
    """Adds a finer level to what came from below, refines, projects by 1x1.

    The coarsest block has nothing to add and therefore no unit for a skip.
    """

    def __init__(self, features: int, batch_norm: bool, has_skip: bool, bias: bool = True) -> None:
        super().__init__()
        self.skip_unit = ResidualConvUnit(features, batch_norm, bias) if has_skip else None
        self.unit = ResidualConvUnit(features, batch_norm, bias)
        self.project = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """(B, F, h, w) and a skip of the same shape to (B, F, h, w).

        DPT upsamples *before* the 1x1 projection. The two commute, because bilinear weights sum to
        one, so upsampling is left to the caller: the projection then sees a quarter of the pixels.
        """
        return pointwise(self.project, self.refine(x, skip))

    @torch.no_grad()
    def become_sum(self) -> None:
        """Adds the skip to x and does nothing else; the block can learn from there."""
        for unit in (self.skip_unit, self.unit):
            if unit is not None:
                unit.become_identity()
        self.project.weight.copy_(torch.eye(len(self.project.weight))[:, :, None, None])
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]

    def refine(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """As `forward`, without the projection."""
        if self.skip_unit is not None and skip is not None:
            x = add_in_place(x, self.skip_unit(skip))
        return self.unit(x)


class Fusion(nn.Module):
    """3x3 convolutions that bring each level to F channels, then one fusion block a level."""

    def __init__(
        self,
        widths: Sequence[int],
        features: int,
        batch_norm: bool,
        bias: bool = True,
        doubles: bool = False,
    ) -> None:
        """Random weights.

        Args:
            widths: Channels of the levels, finest first.
            features: Channels F of the blocks.
            batch_norm: See `TrunkConfig`.
            bias: See `TrunkConfig.unit_bias`.
            doubles: Whether a level is brought to the size of the doubled map from below, and not
                that map to the level's; the same where each level is twice the next.
        """
        super().__init__()
        self.doubles = doubles
        self.level_convs = nn.ModuleList(
            nn.Conv2d(width, features, 3, padding=1, bias=False) for width in widths
        )
        coarsest = len(widths) - 1
        self.blocks = nn.ModuleList(
            FusionBlock(features, batch_norm, index < coarsest, bias)
            for index in range(len(widths))
        )

    @torch.no_grad()
    def become_sum(self, bias: Tensor) -> None:
        """Adds the levels, upsampled, and `bias` (F), and does nothing else: a linear map."""
        blocks = cast("list[FusionBlock]", list(self.blocks))
        for block in blocks:
            block.become_sum()
        blocks[-1].project.bias.copy_(bias)  # type: ignore[union-attr]

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, F, h, w) at strides 4, 8, 16, 32, finest first, to one map (B, F, H/4, W/4).

        They come through `level_convs`, which the reassemble steps run (each may have a step of its
        own to merge with it), and are fastest where the channels of a pixel lie side by side. The
        last block's projection and its upsampling to half resolution are left to the head, which
        may have something linear of its own to merge them with.
        """
        for x in self.passes(maps):
            last = x
        return last

    def passes(self, maps: Sequence[Tensor]) -> Iterator[Tensor]:
        """What each block gives, coarsest first: projected, and before the upsampling that follows.

        The last as `forward` returns it.
        """
        finest, *between, x = maps
        x = self.blocks[-1](x)
        yield x
        for block, skip in zip(reversed(self.blocks[1:-1]), reversed(between), strict=True):
            x = block(*self._of_one_size(x, skip))
            yield x
        yield self.last.refine(*self._of_one_size(x, finest))

    def _of_one_size(self, x: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        if not self.doubles:
            return upsample(x, skip.shape[-2:]), skip
        x = double_size(x)
        return x, stretch(skip, x.shape[-2:])

    @property
    def last(self) -> FusionBlock:
        """The finest block, which runs last."""
        block = self.blocks[0]
        assert isinstance(block, FusionBlock)
        return block
