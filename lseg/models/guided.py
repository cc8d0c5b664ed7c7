"""Logits that follow the outlines of the picture: the guided filter.

Within a window the logits q are taken to be affine in the luminance I of the picture, q = a I + b,
with a and b of least squares against the network's logits p under a penalty on a:

    a = cov(I, p) / (var(I) + eps),    b = mean(p) - a mean(I),

averaged over all windows that cover a pixel (He, Sun and Tang, ECCV 2010). a and b are found on the
network's own coarse grid and brought up to the picture, where they meet its luminance (He and
Sun, "Fast Guided Filter", arXiv 1505.00996).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as TF

from lseg.models.maps import DenseMaps, Maps, ResizedMaps, all_logits

STRIDE = 4
"""Pixels of the maps to one of the grid that the filter works on: those of a DPT's own output."""

RADIUS = 4
"""Of the window, 9 by 9, on that grid. Best of 2, 4, 8 on 40 pictures of COCO val."""

EPSILON = 1e-3
"""Penalty on a: a variance of luminance in 0-1; less is no edge."""

LUMINANCE = (0.299, 0.587, 0.114)
"""Of R, G and B (ITU-R BT.601)."""


def guided(source: Maps, picture: Tensor) -> "GuidedMaps":
    """Logits of a picture at its own size, filtered by it.

    Args:
        source: (1, N, h, w) at the network's input size.
        picture: (3, H, W) uint8, on any device.
    """
    picture = picture.to(source.device)
    coarse = [max(1, -(-side // STRIDE)) for side in source.size]
    logits = all_logits(ResizedMaps(source, (coarse[0], coarse[1])))
    guide = _luminance(TF.resize(picture, coarse, antialias=True))
    slopes, offsets = _coefficients(guide, logits)
    return GuidedMaps(picture, slopes, offsets)


class GuidedMaps:
    """Slopes times luminance plus offsets, at the size of a picture."""

    def __init__(self, picture: Tensor, slopes: Tensor, offsets: Tensor) -> None:
        """Takes (3, H, W) uint8, and a and b, (1, N, h, w), of which rows are brought up to it."""
        self.picture, self.slopes, self.offsets = picture, slopes, offsets
        self.size = (picture.shape[1], picture.shape[2])
        self.batch, self.labels, self.device = 1, slopes.shape[1], slopes.device

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        slopes, offsets = (
            ResizedMaps(DenseMaps(one), self.size).rows(start, stop)
            for one in (self.slopes, self.offsets)
        )
        return offsets.addcmul_(slopes, _luminance(self.picture[:, start:stop]))

    def split(self, count: int) -> "Sequence[GuidedMaps]":
        """See `Maps`."""
        pairs = zip(self.slopes.split(count, 1), self.offsets.split(count, 1), strict=True)
        return [GuidedMaps(self.picture, slopes, offsets) for slopes, offsets in pairs]

    def pictures(self, first: int, last: int) -> "GuidedMaps":
        """See `Maps`."""
        assert (first, last) == (0, 1)
        return self


def _luminance(picture: Tensor) -> Tensor:
    """(1, 1, H, W) in 0-1 of (3, H, W) uint8."""
    weights = torch.tensor(LUMINANCE, device=picture.device) / 255
    return torch.einsum("chw,c->hw", picture.float(), weights)[None, None]


def _coefficients(guide: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes and offsets, (1, N, h, w), of a guide (1, 1, h, w) and logits (1, N, h, w)."""
    mean, mean_logits = _window_mean(guide), _window_mean(logits)
    variance = _window_mean(guide * guide) - mean * mean
    covariance = _window_mean(guide * logits) - mean * mean_logits
    slopes = covariance / (variance + EPSILON)
    return _window_mean(slopes), _window_mean(mean_logits - slopes * mean)


def _window_mean(maps: Tensor) -> Tensor:
    """Means over windows, which are cut off at the border."""
    side = 2 * RADIUS + 1
    return F.avg_pool2d(maps, side, 1, RADIUS, count_include_pad=False)
