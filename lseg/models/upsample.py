"""Bilinear interpolation, of a whole map or of some of its rows.

DPT's decoder lays the corners of a map on those of the larger one (`align_corners=True`). Features
of patches are those of cells, whose centres lie inside the picture (`align_corners=False`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


def upsample(maps: Tensor, size: Sequence[int], cells: bool = False) -> Tensor:
    """Bilinear interpolation with `align_corners=True`, as in DPT and LSeg, or of cells.

    Args:
        maps: (B, C, h, w).
        size: Height and width of the result.
        cells: Whether values are those of cells, and not of corners.

    Returns:
        (B, C, *size).
    """
    if not torch.compiler.is_exporting() and tuple(maps.shape[-2:]) == tuple(size):
        return maps  # an exported program must not be tied to sizes that differ
    return F.interpolate(maps, size=list(size), mode="bilinear", align_corners=not cells)


def stretch(maps: Tensor, size: Sequence[int]) -> Tensor:
    """As `upsample`, with `align_corners=False`: by less than a pixel, where grids are odd."""
    if not torch.compiler.is_exporting() and tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=list(size), mode="bilinear", align_corners=False)


def double_size(maps: Tensor) -> Tensor:
    """`upsample` to twice the height and width."""
    return upsample(maps, (2 * maps.shape[-2], 2 * maps.shape[-1]))


class Axis(NamedTuple):
    """Where the pixels of an upsampled axis lie among its source pixels.

    Attributes:
        source: (n) the source pixel before each of them.
        share: (n) how far each has gone from there to the next source pixel, in [0, 1].
        after: (n) that next one; the last one follows itself.
    """

    source: Tensor
    share: Tensor
    after: Tensor

    def mix(self, maps: Tensor, dim: int) -> Tensor:
        """Interpolates maps (B, C, h, w) along `dim`, 2 or 3, in the memory format they have."""
        share = self.share if dim == 3 else self.share[:, None]
        if maps.is_contiguous(memory_format=torch.channels_last):
            maps, dim, share = maps.permute(0, 2, 3, 1), dim - 1, share[..., None]
            return self._lerp(maps, dim, share).permute(0, 3, 1, 2)
        return self._lerp(maps, dim, share)

    def _lerp(self, maps: Tensor, dim: int, share: Tensor) -> Tensor:
        before, after = (maps.index_select(dim, index) for index in (self.source, self.after))
        return torch.lerp(before, after, share)


def double_axis(length: int, like: Tensor) -> Axis:
    """Of `double_size`, for an axis of `length` source pixels; dtype and device as of `like`."""
    return _axis(length, 2 * length, 0, 2 * length, like, cells=False)


class RowSpan(NamedTuple):
    """Some rows of an upsampled map, and the source rows that they depend on.

    Attributes:
        start: First row that is wanted.
        stop: One past the last.
        first: First source row that is needed.
        last: One past the last.
        height: Rows of the whole source.
        size: Height and width of the whole upsampled map.
        cells: See `upsample`.
    """

    start: int
    stop: int
    first: int
    last: int
    height: int
    size: tuple[int, int]
    cells: bool = False

    def upsample(self, part: Tensor) -> Tensor:
        """Source rows [first, last), (B, C, last - first, w), to rows [start, stop)."""
        count, (full, width) = self.stop - self.start, self.size
        if count == full or self.height == full:
            return upsample(part, (count, width), self.cells)
        axis = _axis(self.height, full, self.start, self.stop, part, self.cells)
        axis = axis._replace(source=axis.source - self.first, after=axis.after - self.first)
        return upsample(axis.mix(part, dim=2), (count, width), self.cells)


def row_span(
    start: int, stop: int, height: int, size: Sequence[int], cells: bool = False
) -> RowSpan:
    """What rows [start, stop) of a map of `size` need of a source that has `height` rows."""
    full, width = size
    first, last = start, stop
    if height != full:
        first = _source_row(start, height, full, cells)
        last = min(_source_row(stop - 1, height, full, cells) + 2, height)
    return RowSpan(start, stop, first, last, height, (full, width), cells)


def _source_row(row: int, height: int, full: int, cells: bool) -> int:
    if cells:
        return max((2 * row + 1) * height - full, 0) // (2 * full)
    return min(row * (height - 1) // max(full - 1, 1), height - 2)


def _axis(length: int, full: int, start: int, stop: int, like: Tensor, cells: bool) -> Axis:
    """In whole numbers, so that `_source_row` cannot disagree."""
    rows = torch.arange(start, stop, device=like.device)
    if cells:
        step = 2 * full
        position = ((2 * rows + 1) * length - full).clamp(min=0)
        index = position // step
    else:
        step = max(full - 1, 1)
        position = rows * (length - 1)
        index = (position // step).clamp(max=length - 2)
    exact = torch.promote_types(like.dtype, torch.float32)
    share = ((position - index * step).to(exact) / step).to(like.dtype)
    return Axis(index, share, (index + 1).clamp(max=length - 1))
