"""The pixels of a COCO `segmentation`: polygons, run lengths, or compressed run lengths.

Polygons are drawn by pycocotools, as the published masks were. It believes what it is given: a NaN
or a coordinate far away fills the memory, four numbers are taken for a box, and run lengths beyond
the picture are written beyond it. So everything is checked before, and run lengths are unpacked
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lseg.data.sets.coco_file import short

_FARTHEST = 1_000_000  # pixels; a coordinate beyond is no slip of an outline over the border
_LONGEST = 2_000_000  # pixels around one thing; pycocotools takes about 120 bytes for each
_LONGEST_COUNT = 7  # characters; enough for 32 bits and a sign


class OutlineError(ValueError):
    """What is wrong with a segmentation, to follow the name of its annotation."""


class Runs(NamedTuple):
    """A thing's pixels in a picture that is read column by column.

    Attributes:
        lengths: Of stretches outside, inside, outside, ... in pixels, (n) int64.
    """

    lengths: np.ndarray

    @property
    def area(self) -> int:
        """Number of pixels inside."""
        return int(self.lengths[1::2].sum())

    def fill(self, columns: np.ndarray, value: int) -> None:
        """Write `value` into the pixels inside; `columns` is (W * H), column after column."""
        if self.area:
            first = int(self.lengths[0])
            inner = self.lengths[1 : len(self.lengths) // 2 * 2]  # from inside to inside
            stretch = np.repeat(np.arange(len(inner)) % 2 == 0, inner)
            columns[first : first + len(stretch)][stretch] = value


def is_empty(segmentation: object) -> bool:
    """Tell whether a segmentation outlines nothing: it is missing, or no polygon has an inside."""
    if isinstance(segmentation, dict):
        return not segmentation or segmentation.get("counts", 0) in ([], "", b"")
    if not isinstance(segmentation, list):
        return segmentation is None
    if segmentation and not any(isinstance(part, list) for part in segmentation):
        segmentation = [segmentation]
    if _is_list_of_points(segmentation):
        return False
    return all(isinstance(part, list) and len(part) in (0, 2, 4) for part in segmentation)


def draw(segmentation: object, height: int, width: int) -> Runs:
    """Return the pixels of a segmentation that is not empty.

    Several polygons are joined, as COCO's are: one inside another is no hole. Polygons of one or
    two points have no inside, and draw nothing. What lies outside the picture is cut off.

    Raises:
        OutlineError: If it cannot be drawn; the message follows the name of the annotation.
    """
    if isinstance(segmentation, dict):
        return _unpack(segmentation, height, width)
    if isinstance(segmentation, list):
        return _rasterise(_polygons(segmentation), height, width)
    raise OutlineError(
        f"has the segmentation {short(segmentation)}: accepted are a list of polygons "
        '[[x1, y1, x2, y2, ...], ...] and run lengths {"size": [height, width], "counts": ...}'
    )


def _polygons(segmentation: list[Any]) -> list[list[float]]:
    """Return the polygons that have an inside; one alone may stand without the outer brackets."""
    if not any(isinstance(part, list) for part in segmentation):
        segmentation = [segmentation]
    if _is_list_of_points(segmentation):
        raise OutlineError(
            f"has a list of points for a list of polygons, {short(segmentation)}: write a polygon "
            "as [x1, y1, x2, y2, ...]"
        )
    return [polygon for part in segmentation if len(polygon := _coordinates(part)) >= 6]


def _is_list_of_points(segmentation: list[Any]) -> bool:
    """Tell whether [[x, y], [x, y], [x, y]] stands where polygons must: none has one point."""
    return len(segmentation) >= 3 and all(
        isinstance(part, list) and len(part) == 2 for part in segmentation
    )


def _coordinates(part: object) -> list[float]:
    """Return a polygon's numbers, checked."""
    if not isinstance(part, list) or not all(type(value) in (int, float) for value in part):
        raise OutlineError(
            f"has {short(part)} for a polygon: write it as numbers, [x1, y1, x2, y2, ...]"
        )
    if len(part) % 2:
        raise OutlineError(
            f"has a polygon of {len(part)} numbers, which are no pairs of x and y: "
            f"{short(part)}. Draw it again or remove it"
        )
    for value in part:
        if not -_FARTHEST <= value <= _FARTHEST:  # so for NaN
            raise OutlineError(
                f"has the coordinate {short(value)} in a polygon: accepted are numbers of pixels "
                f"from {-_FARTHEST} to {_FARTHEST}. Draw it again or remove it"
            )
    return part


def _rasterise(polygons: Sequence[list[float]], height: int, width: int) -> Runs:
    from pycocotools import mask as coco

    length = sum(_length(polygon) for polygon in polygons)
    if length > _LONGEST:
        raise OutlineError(
            f"has an outline of {length:.0f} pixels: accepted are up to {_LONGEST}. Draw it again "
            "or remove it"
        )
    if not polygons:
        return Runs(np.array([height * width]))
    packed = coco.merge(coco.frPyObjects(polygons, height, width))
    return Runs(_counts(packed["counts"]))


def _length(polygon: list[float]) -> float:
    """Return the longer of the ways along x and along y, from point to point and back."""
    points = np.reshape(polygon, (-1, 2))
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _unpack(segmentation: dict[str, Any], height: int, width: int) -> Runs:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        hint = " (these are swapped)" if size == [width, height] else ""
        raise OutlineError(
            f"has run lengths for the size {short(size)}, in a picture of height {height} and "
            f"width {width}{hint}: the size must be [{height}, {width}]. Encode the mask again"
        )
    if isinstance(counts, str | bytes):
        lengths = _counts(counts)
        fits = bool(((lengths >= 0) & (lengths <= height * width)).all())
    elif isinstance(counts, list):
        fits = all(type(count) is int and 0 <= count <= height * width for count in counts)
        lengths = np.array(counts if fits else [], np.int64)
    else:
        raise OutlineError(
            f"has the counts {short(counts)}: accepted are a list of run lengths and COCO's "
            "compressed text. Encode the mask again"
        )
    if not fits:
        raise OutlineError(
            f"has an impossible run length in {short(counts)}: accepted are whole numbers from 0 "
            f"to {height * width} pixels. Encode the mask again"
        )
    if (total := int(lengths.sum())) != height * width:
        raise OutlineError(
            f"has run lengths of {total} pixels in all, where the picture has {height} x {width} = "
            f"{height * width}. Encode the mask again"
        )
    return Runs(lengths)


def _counts(text: str | bytes) -> np.ndarray:
    """Return compressed run lengths, (n) int64.

    A number is written in groups of five bits, the lowest first, a character from 48 on each; bit 5
    says that more follow, bit 4 of the last is the sign. From the fourth number on, what is written
    is the difference from the last but one. (cocoapi, common/maskApi.c, rleToString)

    Raises:
        OutlineError: If these are no such characters, or the last number is cut off.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    bits = np.frombuffer(data, np.uint8).astype(np.int64) - 48
    last = (bits & 32) == 0
    if not len(bits) or bits.min() < 0 or bits.max() > 63 or not last[-1]:
        raise OutlineError(
            f"has damaged compressed counts, {short(text)}: copy or encode the mask again"
        )
    ends = np.flatnonzero(last)
    sizes = np.diff(ends, prepend=-1)
    if sizes.max() > _LONGEST_COUNT:
        raise OutlineError(
            f"has a number of {sizes.max()} characters in its compressed counts, where "
            f"{_LONGEST_COUNT} are the most: copy or encode the mask again"
        )
    starts = ends - sizes + 1
    shifts = 5 * (np.arange(len(bits)) - np.repeat(starts, sizes))
    lengths = np.add.reduceat((bits & 31) << shifts, starts)
    lengths -= np.where(bits[ends] & 16, 1 << (5 * sizes), 0)
    lengths[1::2] = lengths[1::2].cumsum()
    lengths[2::2] = lengths[2::2].cumsum()
    return lengths
