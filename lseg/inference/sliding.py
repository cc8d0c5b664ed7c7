"""Logits from overlapping windows of a picture."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.inference.windows import WindowRows, Windows, window_starts
from lseg.models.lseg import LSeg
from lseg.models.maps import AverageMaps, CroppedMaps, Maps, MirroredMaps, Tile
from lseg.models.taught import picture_logits
from lseg.text.question import Question, as_question

WINDOW_BATCH = 4
"""How many windows the network sees at once, if nothing else is said."""


class WindowGrid(NamedTuple):
    """Where windows of one size lie on a picture.

    Attributes:
        tops: First row of each row of windows, ascending.
        lefts: First column of each column of windows, ascending.
        height: Of a window.
        width: Of a window.
    """

    tops: Sequence[int]
    lefts: Sequence[int]
    height: int
    width: int

    @classmethod
    def inside(cls, height: int, width: int, window: int, stride: float) -> Self:
        """Squares of side `window` every `stride` of it, the last ones ending at the edge.

        Only in a picture that is smaller than a window are they smaller.
        """
        tops, lefts = (window_starts(length, window, stride) for length in (height, width))
        return cls(tops, lefts, min(window, height), min(window, width))

    @classmethod
    def beyond(cls, height: int, width: int, window: int, stride: float) -> Self:
        """Squares of side `window` every `stride` of it, the last ones reaching over the edge."""
        step = max(1, int(window * stride))
        tops, lefts = (range(0, max(length - window, 0) + step, step) for length in (height, width))
        return cls(tops, lefts, window, window)


def sliding_maps(
    model: LSeg,
    image: Tensor,
    text: Tensor | Question,
    grid: WindowGrid,
    flip: bool = False,
    batch: int = WINDOW_BATCH,
) -> Maps:
    """Logits from overlapping windows, averaged where they overlap; see `Windows`.

    Those of a class that no vector stands for are not among them; see `answered`.

    Args:
        model: In eval mode.
        image: (3, H, W) in [0, 255], uint8 or float, on the model's device.
        text: (N, C) label vectors, or classes that are asked in other ways.
        grid: Where the windows lie; what they see beyond the picture is black.
        flip: Average every window with what the network says of its mirror image.
        batch: How many windows, mirrored ones among them, the network sees at once.
    """
    question = as_question(text)
    height, width = image.shape[-2:]

    def show(index: int) -> list[Tile]:
        top = grid.tops[index]
        band = image[:, top : top + grid.height]
        parts = [_filled(band[..., left : left + grid.width], grid) for left in grid.lefts]
        if flip:
            parts = [seen for part in parts for seen in (part, part.flip(-1))]
        maps = _logits(model, parts, question, batch)
        if flip:
            pairs = zip(maps[::2], maps[1::2], strict=True)
            maps = [AverageMaps([plain, MirroredMaps(mirrored)]) for plain, mirrored in pairs]
        return [
            Tile(top, left, _cropped(part, (height - top, width - left)))
            for left, part in zip(grid.lefts, maps, strict=True)
        ]

    if len(grid.tops) == len(grid.lefts) == 1:
        return show(0)[0].maps
    rows = WindowRows(grid.tops, grid.height, show)
    return Windows(rows, (height, width), len(question.pools), question.vectors.device)


def _logits(model: LSeg, parts: Sequence[Tensor], question: Question, batch: int) -> list[Maps]:
    """Logits of parts (3, h, w) of one size, of each by itself."""
    found: list[Maps] = []
    for first in range(0, len(parts), batch):
        some = torch.stack(list(parts[first : first + batch]))
        (logits,) = picture_logits(model, model.normalize(some), [question])
        found += [logits.pictures(index, index + 1) for index in range(len(some))]
    return found


def _filled(part: Tensor, grid: WindowGrid) -> Tensor:
    """A part (3, h, w) of the picture as large as a window, black where there is no picture."""
    bottom, right = grid.height - part.shape[-2], grid.width - part.shape[-1]
    return F.pad(part, (0, right, 0, bottom)) if bottom or right else part


def _cropped(maps: Maps, room: tuple[int, int]) -> Maps:
    """Maps without what lies beyond the room that there is up to the picture's edges."""
    size = min(maps.size[0], room[0]), min(maps.size[1], room[1])
    return maps if maps.size == size else CroppedMaps(maps, size)
