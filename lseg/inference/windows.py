"""Sliding windows that the network sees only while their rows are being asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from lseg.models.maps import Maps, Mosaic, Tile


class WindowRows:
    """Rows of windows, each shown to the network when it is first needed and forgotten when passed.

    Memory is that of the windows that cover the rows asked for, whatever the picture's height.
    """

    def __init__(
        self, tops: Sequence[int], height: int, show: Callable[[int], Sequence[Tile]]
    ) -> None:
        """Nothing is shown yet.

        Args:
            tops: First row of each row of windows, ascending, in pixels of the maps.
            height: Rows that a window has at most.
            show: Makes the tiles of the row of windows with this index.
        """
        self.tops, self.height, self.show = tops, height, show
        self._shown: dict[int, Sequence[Tile]] = {}

    def tiles(self, start: int, stop: int) -> list[Tile]:
        """The windows that have some of rows [start, stop)."""
        needed = [
            index for index, top in enumerate(self.tops) if top < stop and top + self.height > start
        ]
        self._shown = {index: tiles for index, tiles in self._shown.items() if index in needed}
        with torch.inference_mode():
            for index in needed:
                if index not in self._shown:
                    self._shown[index] = self.show(index)
        return [tile for index in needed for tile in self._shown[index]]


@dataclass(frozen=True)
class Windows:
    """Maps of overlapping windows, averaged where they overlap; see `lseg.models.maps.Maps`.

    Rows are best asked for from top to bottom, those of all labels before the next ones.

    Attributes:
        windows: The rows of windows; parts of `split` share them.
        size: Height and width of the maps.
        labels: Their number.
        device: Where rows are computed.
        part: Which of the parts of `split(part_size)` this is.
        part_size: See `part`; None stands for all labels.
    """

    windows: WindowRows
    size: tuple[int, int]
    labels: int
    device: torch.device
    part: int = 0
    part_size: int | None = None
    batch: int = 1

    def rows(self, start: int, stop: int) -> Tensor:
        """(1, N, stop - start, W)."""
        tiles = self.windows.tiles(start, stop)
        with torch.inference_mode():
            if self.part_size is not None:
                tiles = [
                    tile._replace(maps=tile.maps.split(self.part_size)[self.part]) for tile in tiles
                ]
            return Mosaic(tiles, self.size).rows(start, stop)

    def split(self, count: int) -> Sequence[Maps]:
        """Themselves on a GPU: there, all rows of some labels would be asked for at once."""
        if self.part_size is not None or self.device.type != "cpu":
            return [self]
        first = self.windows.tiles(0, 1)[0].maps.split(count)
        if len(first) == 1:
            return [self]
        return [
            replace(self, labels=maps.labels, part=part, part_size=count)
            for part, maps in enumerate(first)
        ]

    def pictures(self, first: int, last: int) -> Self:
        """Themselves."""
        assert (first, last) == (0, 1)
        return self


def window_starts(length: int, window: int, stride: float, multiple: int = 1) -> list[int]:
    """First pixels of windows that cover `length` pixels, all divisible by `multiple`.

    The last window ends with the picture, or less than `multiple` pixels beyond it.
    """
    last = -(-max(length - window, 0) // multiple) * multiple
    step = max(multiple, int(window * stride) // multiple * multiple)
    return [*range(0, last, step), last]
