"""DPT's decoder: RefineNet-style fusion from coarse to fine (DPT, section 3.1)."""

from collections.abc import Sequence

from torch import Tensor, nn

from lseg.models.upsample import upsample


class ResidualConvUnit(nn.Module):
    """ReLU, 3x3, ReLU, 3x3, add; with batch norm after each convolution, which then has no bias."""

    def __init__(self, features: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1, bias=not batch_norm)
        self.norm1 = nn.BatchNorm2d(features) if batch_norm else nn.Identity()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, bias=not batch_norm)
        self.norm2 = nn.BatchNorm2d(features) if batch_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, h, w) to the same shape."""
        y = self.norm1(self.conv1(x.relu()))
        return x + self.norm2(self.conv2(y.relu()))


class FusionBlock(nn.Module):
    """Adds a finer level to what came from below, refines, projects by 1x1.

    The coarsest block has nothing to add and therefore no unit for a skip.
    """

    def __init__(self, features: int, batch_norm: bool, has_skip: bool) -> None:
        super().__init__()
        self.skip_unit = ResidualConvUnit(features, batch_norm) if has_skip else None
        self.unit = ResidualConvUnit(features, batch_norm)
        self.project = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """(B, F, h, w) and a skip of the same shape to (B, F, h, w).

        DPT upsamples *before* the 1x1 projection. The two commute, because bilinear weights sum to
        one, so upsampling is left to the caller: the projection then sees a quarter of the pixels.
        """
        if self.skip_unit is not None and skip is not None:
            x = x + self.skip_unit(skip)
        return self.project(self.unit(x))


class Fusion(nn.Module):
    """3x3 convolutions that bring each level to F channels, then one fusion block a level."""

    def __init__(self, widths: Sequence[int], features: int, batch_norm: bool) -> None:
        """`widths` are the channels of the levels, finest first."""
        super().__init__()
        self.level_convs = nn.ModuleList(
            nn.Conv2d(width, features, 3, padding=1, bias=False) for width in widths
        )
        coarsest = len(widths) - 1
        self.blocks = nn.ModuleList(
            FusionBlock(features, batch_norm, has_skip=index < coarsest)
            for index in range(len(widths))
        )

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Maps at strides 4, 8, 16, 32, finest first, to one map (B, F, H/4, W/4).

        The last block's upsampling to half resolution is left to the head.
        """
        maps = [conv(level) for conv, level in zip(self.level_convs, levels, strict=True)]
        *finer, x = maps
        x = self.blocks[-1](x)
        for block, skip in zip(reversed(self.blocks[:-1]), reversed(finer), strict=True):
            x = block(upsample(x, skip.shape[-2:]), skip)
        return x
