"""Logit maps whose rows are computed when they are asked for.

Full-resolution logits of a thousand labels take a gigabyte a megapixel; what is wanted of them is
mostly one index a pixel. So maps are put together from others (resized, mirrored, averaged)
without being computed, and `lseg.models.strips` reduces them a strip of rows at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from lseg.models.upsample import row_span


class Maps(Protocol):
    """Logits (B, N, H, W) of which rows can be had."""

    @property
    def size(self) -> tuple[int, int]:
        """H and W."""
        ...

    @property
    def batch(self) -> int:
        """B."""
        ...

    @property
    def labels(self) -> int:
        """N."""
        ...

    @property
    def device(self) -> torch.device:
        """Where rows are computed."""
        ...

    def rows(self, start: int, stop: int) -> Tensor:
        """(B, N, stop - start, W)."""
        ...

    def split(self, count: int) -> "Sequence[Maps]":
        """Maps of up to `count` labels each; itself, where a label's logit needs the others."""
        ...

    def pictures(self, first: int, last: int) -> "Maps":
        """Those of pictures [first, last)."""
        ...


class UndividedMaps:
    """For maps of one picture that compute all labels together, because that is what costs."""

    def split(self, count: int) -> "Sequence[Self]":
        """Themselves."""
        del count
        return [self]

    def pictures(self, first: int, last: int) -> Self:
        """Themselves."""
        assert (first, last) == (0, 1)
        return self


class DenseMaps:
    """Maps that are computed already: (B, N, H, W)."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.batch, self.labels, *_ = values.shape
        self.device = values.device
        self.size = (values.shape[2], values.shape[3])

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        return self.values[:, :, start:stop]

    def split(self, count: int) -> Sequence[Maps]:
        """See `Maps`."""
        return [DenseMaps(part) for part in self.values.split(count, dim=1)]

    def pictures(self, first: int, last: int) -> Maps:
        """See `Maps`."""
        return DenseMaps(self.values[first:last])


class _Derived:
    def __init__(self, source: Maps, size: tuple[int, int]) -> None:
        self.source = source
        self.size = size
        self.batch, self.labels, self.device = source.batch, source.labels, source.device


class ResizedMaps(_Derived):
    """`upsample(source, size, cells)`."""

    def __init__(self, source: Maps, size: tuple[int, int], cells: bool = False) -> None:
        super().__init__(source, size)
        self.cells = cells

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        span = row_span(start, stop, self.source.size[0], self.size, self.cells)
        return span.upsample(self.source.rows(span.first, span.last))

    def split(self, count: int) -> Sequence[Maps]:
        """See `Maps`."""
        return [ResizedMaps(part, self.size, self.cells) for part in self.source.split(count)]

    def pictures(self, first: int, last: int) -> Maps:
        """See `Maps`."""
        return ResizedMaps(self.source.pictures(first, last), self.size, self.cells)


class CroppedMaps(_Derived):
    """The upper left part of maps."""

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        return self.source.rows(start, stop)[..., : self.size[1]]

    def split(self, count: int) -> Sequence[Maps]:
        """See `Maps`."""
        return [CroppedMaps(part, self.size) for part in self.source.split(count)]

    def pictures(self, first: int, last: int) -> Maps:
        """See `Maps`."""
        return CroppedMaps(self.source.pictures(first, last), self.size)


class MirroredMaps(_Derived):
    """Maps with left and right exchanged."""

    def __init__(self, source: Maps) -> None:
        super().__init__(source, source.size)

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        return self.source.rows(start, stop).flip(-1)

    def split(self, count: int) -> Sequence[Maps]:
        """See `Maps`."""
        return [MirroredMaps(part) for part in self.source.split(count)]

    def pictures(self, first: int, last: int) -> Maps:
        """See `Maps`."""
        return MirroredMaps(self.source.pictures(first, last))


class AverageMaps(_Derived):
    """The mean of maps of one size."""

    def __init__(self, sources: Sequence[Maps]) -> None:
        super().__init__(sources[0], sources[0].size)
        self.sources = sources

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        first, *others = self.sources
        total = first.rows(start, stop)
        for source in others:
            total = total + source.rows(start, stop)
        return total / len(self.sources)

    def split(self, count: int) -> Sequence[Maps]:
        """See `Maps`."""
        parts = [source.split(count) for source in self.sources]
        if any(len(found) == 1 for found in parts):
            return [self]
        return [AverageMaps(column) for column in zip(*parts, strict=True)]

    def pictures(self, first: int, last: int) -> Maps:
        """See `Maps`."""
        return AverageMaps([source.pictures(first, last) for source in self.sources])


class Tile(NamedTuple):
    """Maps of a part of a picture, and where its upper left corner lies."""

    top: int
    left: int
    maps: Maps


@dataclass
class Mosaic:
    """Overlapping tiles that cover a picture of `size`, averaged where they overlap."""

    tiles: Sequence[Tile]
    size: tuple[int, int]

    def __post_init__(self) -> None:
        """Takes batch, labels and device from the tiles."""
        maps = self.tiles[0].maps
        self.batch, self.labels, self.device = maps.batch, maps.labels, maps.device

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        total, count = None, None
        for top, left, maps in self.tiles:
            first, last = max(start, top), min(stop, top + maps.size[0])
            if first >= last:
                continue
            part = maps.rows(first - top, last - top)
            if total is None or count is None:
                shape = (self.batch, self.labels, stop - start, self.size[1])
                total, count = part.new_zeros(shape), part.new_zeros(shape[2:])
            where = (
                ...,
                slice(first - start, last - start),
                slice(left, left + part.shape[-1]),
            )
            total[where] += part
            count[where] += 1
        assert total is not None and count is not None
        return total / count

    def split(self, count: int) -> Sequence[Maps]:
        """See `Maps`."""
        parts = [tile.maps.split(count) for tile in self.tiles]
        if any(len(found) == 1 for found in parts):
            return [self]
        return [
            Mosaic([t._replace(maps=m) for t, m in zip(self.tiles, column, strict=True)], self.size)
            for column in zip(*parts, strict=True)
        ]

    def pictures(self, first: int, last: int) -> Maps:
        """See `Maps`."""
        tiles = [tile._replace(maps=tile.maps.pictures(first, last)) for tile in self.tiles]
        return Mosaic(tiles, self.size)


def all_logits(maps: Maps) -> Tensor:
    """All logits, (B, N, H, W)."""
    return maps.rows(0, maps.size[0])
