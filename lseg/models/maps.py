"""Logit maps whose rows are computed when they are asked for.

Full-resolution logits of a thousand labels take a gigabyte a megapixel; what is wanted of them is
mostly one index a pixel. So maps are put together from others (resized, mirrored, averaged)
without being computed, and reduced a strip of rows at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from lseg.models.upsample import row_span

STRIP_BYTES = 2**25
"""About how large the logits of a strip are."""


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

    def rows(self, start: int, stop: int) -> Tensor:
        """(B, N, stop - start, W)."""
        ...


class Dense:
    """Maps that are computed already: (B, N, H, W)."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.batch, self.labels, *_ = values.shape
        self.size = (values.shape[2], values.shape[3])

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        return self.values[:, :, start:stop]


class _Derived:
    def __init__(self, source: Maps, size: tuple[int, int]) -> None:
        self.source = source
        self.size = size
        self.batch, self.labels = source.batch, source.labels


class Resized(_Derived):
    """`upsample(source, size)`."""

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        span = row_span(start, stop, self.source.size[0], self.size)
        return span.upsample(self.source.rows(span.first, span.last))


class Mirrored(_Derived):
    """Maps with left and right exchanged."""

    def __init__(self, source: Maps) -> None:
        super().__init__(source, source.size)

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        return self.source.rows(start, stop).flip(-1)


class Average(_Derived):
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
        """Takes batch and labels from the tiles."""
        maps = self.tiles[0].maps
        self.batch, self.labels = maps.batch, maps.labels

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


def strips(maps: Maps, budget: int = STRIP_BYTES) -> Iterator[tuple[int, int]]:
    """Rows [start, stop) after rows [start, stop) whose logits take about `budget` bytes."""
    height, width = maps.size
    rows = max(1, budget // (4 * maps.batch * maps.labels * width))
    for start in range(0, height, rows):
        yield start, min(start + rows, height)


def whole(maps: Maps) -> Tensor:
    """All logits, (B, N, H, W)."""
    return maps.rows(0, maps.size[0])


def label_map(maps: Maps) -> Tensor:
    """Index of the best label at every pixel, (B, H, W) int64, in memory for a strip of logits."""
    return torch.cat([maps.rows(*strip).argmax(1) for strip in strips(maps)], dim=1)


class TopLabels(NamedTuple):
    """The k best labels of every pixel, best first: indices and logits, (B, k, H, W) each."""

    indices: Tensor
    logits: Tensor


def top_labels(maps: Maps, count: int) -> TopLabels:
    """The `count` best labels of every pixel (all, if there are fewer), strip by strip."""
    parts = [maps.rows(*strip).topk(min(count, maps.labels), dim=1) for strip in strips(maps)]
    return TopLabels(
        torch.cat([part.indices for part in parts], dim=2),
        torch.cat([part.values for part in parts], dim=2),
    )
