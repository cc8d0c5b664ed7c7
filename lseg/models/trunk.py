"""The DPT trunk that language-driven, fixed-class and depth networks share."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import OddGrids
from lseg.errors import ImageError
from lseg.models.fusion import Fusion
from lseg.models.layout import pointwise
from lseg.models.levels import Backbone, Level, level_scales, size_multiple
from lseg.models.reassemble import Reassemble, ReassembleStep

SMALLEST_SIDE = 32
"""Least height and width of a picture that the networks take, in pixels."""


class Trunk(nn.Module):
    """Backbone, reassemble, fusion (Ranftl et al., "Vision Transformers for Dense Prediction")."""

    def __init__(
        self,
        backbone: Backbone,
        reassemble: Sequence[ReassembleStep],
        fusion: Fusion,
        odd_grids: OddGrids = "pad",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.reassemble = nn.ModuleList(reassemble)
        self.fusion = fusion
        self.coarsest = size_multiple(backbone.levels)
        strides = [level.stride for level in backbone.levels]
        self.multiple = self.coarsest if odd_grids == "pad" else max(strides)
        self.autocast: torch.dtype | None = None
        self.exact_backbone = False
        self.stride = backbone.levels[0].stride / level_scales(backbone.levels)[0]
        self.order_kernels()

    def order_kernels(self) -> None:
        """Brings the decoder's kernels into the order of its maps (see `lseg.models.layout`)."""
        for part in (self.reassemble, self.fusion):
            part.to(memory_format=torch.channels_last)

    @property
    def project(self) -> nn.Conv2d:
        """The 1x1 convolution that ends the decoder; `refine` leaves it out."""
        return self.fusion.last.project

    @property
    def exact_parts(self) -> set[nn.Module]:
        """What may not be rounded.

        The last projection belongs to the head; kernels that others are derived from are rounded
        after that.
        """
        kept: set[nn.Module] = {self.project}
        for step, conv in zip(self.reassemble, self.fusion.level_convs, strict=True):
            if isinstance(step, Reassemble) and isinstance(step.resample, nn.ConvTranspose2d):
                kept |= {step.resample, conv}
        return kept

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (B, 3, H, W) to features (B, F, H/stride, W/stride); the stride is 4.

        H and W must be multiples of `multiple`; `pad_to_multiple` makes them so. (A patch size of
        14 counts as 16 everywhere, so there the stride is 3.5. Where odd grids are doubled, the
        result is a little larger; see `TrunkConfig.odd_grids`.)
        """
        return pointwise(self.project, self.refine(pixels))

    def refine(self, pixels: Tensor) -> Tensor:
        """As `forward`, without the last projection."""
        return self.look(pixels).features

    def look(self, pixels: Tensor) -> "Seen":
        """As `refine`, with what the backbone gives on the way.

        Products are computed in `autocast`, if that is set; with `exact_backbone` the backbone's
        stay in float32.
        """
        levels = self._levels(pixels)
        with self._products_in(self.autocast, pixels):
            features = self.decode(levels)
        return Seen(levels, features if self.autocast is None else features.float())

    def passes(self, pixels: Tensor) -> "Passes":
        """What the fusion begins with, and what each of its blocks makes of it."""
        levels = self._levels(pixels)
        with self._products_in(self.autocast, pixels):
            maps = self.narrowed(levels)
            *coarse, finest = self.fusion.passes(maps)
            blocks = [*coarse, pointwise(self.project, finest)]
        return Passes(maps[-1].float(), [block.float() for block in blocks])

    def _levels(self, pixels: Tensor) -> Sequence[Level]:
        with self._products_in(None if self.exact_backbone else self.autocast, pixels):
            return self.backbone(pixels)

    def _products_in(self, dtype: torch.dtype | None, pixels: Tensor) -> AbstractContextManager:
        return nullcontext() if dtype is None else torch.autocast(pixels.device.type, dtype)

    def decode(self, levels: Sequence[Level]) -> Tensor:
        """Reassemble and fusion: what the backbone gives to features, as `refine`."""
        return self.fusion(self.narrowed(levels))

    def narrowed(self, levels: Sequence[Level]) -> list[Tensor]:
        """Reassembled levels with F channels each, as the fusion takes them."""
        steps = cast(Iterable[ReassembleStep], self.reassemble)
        convs = cast(Iterable[nn.Conv2d], self.fusion.level_convs)
        return [
            step.narrowed(level, conv)
            for step, level, conv in zip(steps, levels, convs, strict=True)
        ]


class Seen(NamedTuple):
    """What the trunk makes of pixels: the backbone's levels, and features as `Trunk.refine`."""

    levels: Sequence[Level]
    features: Tensor


class Passes(NamedTuple):
    """The way through the fusion.

    Attributes:
        start: The coarsest level as it enters, (B, F, h, w).
        blocks: What each block gives, coarsest first and before its upsampling: (B, F, h, w),
            (B, F, 2h, 2w) and so on; the last is that of `Trunk.forward`.
    """

    start: Tensor
    blocks: Sequence[Tensor]


class Padded(NamedTuple):
    """Pixels on the patch grid (B, 3, H', W') and the size (H, W) they had before."""

    pixels: Tensor
    size: tuple[int, int]


def pad_to_multiple(pixels: Tensor, multiple: int, minimum: int = SMALLEST_SIDE) -> Padded:
    """Repeats the last row and column until height and width divide by `multiple`.

    Raises:
        ImageError: If the pixels are not (B, 3, H, W) with H and W of at least `minimum`.
    """
    if pixels.ndim != 4 or pixels.shape[1] != 3 or min(pixels.shape[-2:]) < minimum:
        raise ImageError(
            f"pixels have shape {tuple(pixels.shape)}: expected (B, 3, H, W) with H and W of at "
            f"least {minimum}"
        )
    height, width = pixels.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    if bottom or right:
        pixels = F.pad(pixels, (0, right, 0, bottom), mode="replicate")
    return Padded(pixels, (height, width))
