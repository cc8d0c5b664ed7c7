"""The one interpolation of DPT's decoder."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def upsample(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear interpolation with `align_corners=True`, as in DPT and LSeg.

    Args:
        maps: (B, C, h, w).
        size: Height and width of the result.

    Returns:
        (B, C, *size).
    """
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=list(size), mode="bilinear", align_corners=True)


def double(maps: Tensor) -> Tensor:
    """`upsample` to twice the height and width."""
    return upsample(maps, (2 * maps.shape[-2], 2 * maps.shape[-1]))
