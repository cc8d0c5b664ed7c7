"""What a user marks in a picture: a mask, a box, points or brush strokes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw

from lseg.errors import ImageError

REST, LABEL, UNKNOWN = 0, 1, 255
"""Values of a marked picture: not the label, the label, and nothing said."""

Point = tuple[float, float]
"""Column and row of a pixel."""


class Marks(Protocol):
    """Says of every pixel of a picture whether it is the label."""

    @property
    def rough(self) -> bool:
        """Whether other things may be among the pixels that are said to be the label."""
        ...

    def paint(self, height: int, width: int) -> np.ndarray:
        """(H, W) uint8 of `REST`, `LABEL` and `UNKNOWN`.

        Raises:
            ImageError: If the marks do not lie in such a picture.
        """
        ...


@dataclass(frozen=True, eq=False)
class Mask:
    """A whole mask: (H, W) bool, or integers of 0 (not the label), 1 (the label), 255 (unknown)."""

    values: np.ndarray
    rough: bool = False

    def paint(self, height: int, width: int) -> np.ndarray:
        """See `Marks`."""
        values = np.asarray(self.values)
        if values.shape != (height, width):
            raise ImageError(
                f"a mask of shape {values.shape} for a picture of {height} rows and {width} "
                "columns: give one of the picture's own size"
            )
        if values.dtype != bool and not np.isin(values, (REST, LABEL, UNKNOWN)).all():
            raise ImageError(
                "a mask holds True and False, or 0 for not the label, 1 for the label and 255 for "
                f"unknown; this one holds {np.unique(values)[:5].tolist()}"
            )
        return values.astype(np.uint8)


@dataclass(frozen=True)
class Box:
    """A box around the thing, in pixels; what lies outside is not the label."""

    left: float
    top: float
    right: float
    bottom: float
    rough: bool = True

    def paint(self, height: int, width: int) -> np.ndarray:
        """See `Marks`."""
        left, right = (round(min(max(x, 0), width)) for x in (self.left, self.right))
        top, bottom = (round(min(max(y, 0), height)) for y in (self.top, self.bottom))
        if left >= right or top >= bottom:
            raise ImageError(
                f"the box ({self.left}, {self.top}, {self.right}, {self.bottom}) holds no pixel of "
                f"a picture of {width} x {height}: give left, top, right, bottom in pixels"
            )
        painted = np.full((height, width), REST, np.uint8)
        painted[top:bottom, left:right] = LABEL
        return painted


@dataclass(frozen=True)
class Strokes:
    """Clicks and brush strokes on the thing; nothing is said of pixels that they do not touch.

    Attributes:
        lines: Points that are joined; a click is a line of one point.
        width: Of the brush, in pixels.
    """

    lines: Sequence[Sequence[Point]]
    width: int = 5
    rough: bool = False

    def paint(self, height: int, width: int) -> np.ndarray:
        """See `Marks`."""
        points = [point for line in self.lines for point in line]
        outside = [(x, y) for x, y in points if not (0 <= x < width and 0 <= y < height)]
        if outside or not points:
            raise ImageError(
                f"{f'the point {outside[0]}' if outside else 'no point'} in a picture of {width} x "
                f"{height}: give columns and rows of pixels that show the label"
            )
        canvas = Image.new("L", (width, height), UNKNOWN)
        draw, radius = ImageDraw.Draw(canvas), self.width / 2
        for line in self.lines:
            draw.line([tuple(point) for point in line], LABEL, self.width)
            for x, y in line:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), LABEL)
        return np.asarray(canvas)


def clicks(points: Sequence[Point], width: int = 5) -> Strokes:
    """Single points on the thing."""
    return Strokes([[point] for point in points], width)
