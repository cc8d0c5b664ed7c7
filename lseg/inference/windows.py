"""Sliding windows that the network sees only while their rows are being asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lseg.models.maps import Mosaic, Tile, UndividedMaps


@dataclass
class Windows(UndividedMaps):
    """Maps of overlapping windows, averaged where they overlap; see `lseg.models.maps.Maps`.

    A row of windows is shown to the network when rows that it covers are first asked for, and is
    forgotten when they are passed, so memory does not grow with the height of the picture. Rows
    are best asked for from top to bottom.

    Attributes:
        tops: First row of each row of windows, ascending, in pixels of the maps.
        height: Rows that a window has at most.
        size: Height and width of the maps.
        labels: Their number.
        device: Where rows are computed.
        show: Makes the tiles of the row of windows with this index.
    """

    tops: Sequence[int]
    height: int
    size: tuple[int, int]
    labels: int
    device: torch.device
    show: Callable[[int], Sequence[Tile]]
    batch: int = 1
    _shown: dict[int, Sequence[Tile]] = field(default_factory=dict, repr=False)

    def rows(self, start: int, stop: int) -> Tensor:
        """(1, N, stop - start, W)."""
        needed = [
            index for index, top in enumerate(self.tops) if top < stop and top + self.height > start
        ]
        self._shown = {index: tiles for index, tiles in self._shown.items() if index in needed}
        with torch.inference_mode():
            for index in needed:
                if index not in self._shown:
                    self._shown[index] = self.show(index)
            tiles = [tile for index in needed for tile in self._shown[index]]
            return Mosaic(tiles, self.size).rows(start, stop)


def window_starts(length: int, window: int, stride: float, multiple: int = 1) -> list[int]:
    """First pixels of windows that cover `length` pixels, all divisible by `multiple`.

    The last window ends with the picture, or less than `multiple` pixels beyond it.
    """
    last = -(-max(length - window, 0) // multiple) * multiple
    step = max(multiple, int(window * stride) // multiple * multiple)
    return [*range(0, last, step), last]
