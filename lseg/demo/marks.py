"""What visitors mark in a picture and how they call it, checked."""

from typing import Any

from lseg.data.base.labels import clean_name
from lseg.demo.limits import Limits
from lseg.demo.questions import OTHER
from lseg.errors import ImageError, LabelError, shown
from lseg.memory.marks import Box, Marks, Strokes
from lseg.text.encoder import SYNONYM_SEPARATOR

BRUSH = 40
"""How often the usual brush goes into the longer side of a picture; the script has it, too."""

Size = tuple[int, int]

FORMS = '{"points": [[x, y], ...]}, {"strokes": [[[x, y], ...], ...]} or {"box": [l, t, r, b]}'


def read_label(text: object, limits: Limits) -> str:
    """The name of one thing.

    Raises:
        LabelError: If it is none, too long, or could not be asked for.
    """
    name = clean_name(text) if isinstance(text, str) else ""
    if not name:
        raise LabelError("what is marked has no name: type one, such as my mug")
    if len(name) > limits.characters:
        raise LabelError(f"the name has {len(name)} characters: it may have {limits.characters}")
    if name.lower() == OTHER or "," in name or SYNONYM_SEPARATOR in name:
        raise LabelError(
            f'{name!r} is no name of one thing: take one without "," and "|" that is not {OTHER}'
        )
    return name


def read_marks(value: object, size: Size, painted: Size, limits: Limits) -> Marks:
    """Marks that came as JSON, one of `FORMS`; `width` beside points and strokes is of the brush.

    Args:
        value: In pixels of a picture of this `size`, width and height.
        size: See there.
        painted: Size at which they are painted.
        limits: Bound the number of points.

    Raises:
        ImageError: If they are none.
    """
    if not isinstance(value, dict):
        raise ImageError(f"nothing is marked in the picture: give {FORMS}")
    right, down = painted[0] / size[0], painted[1] / size[1]
    if "box" in value:
        box = _numbers(value["box"], 4)
        return Box(right * box[0], down * box[1], right * box[2], down * box[3])
    given = [[point] for point in _list(value.get("points", []))]
    given += [_list(line) for line in _list(value.get("strokes", []))]
    count = sum(map(len, given))
    if not 1 <= count <= limits.points:
        raise ImageError(f"{count or 'no'} points are marked: mark 1 to {limits.points}")
    (width,) = _numbers([value.get("width") or max(size) / BRUSH], 1)
    pairs = [[_numbers(point, 2) for point in line] for line in given]
    lines = [[(right * x, down * y) for x, y in line] for line in pairs]
    return Strokes(lines, round(min(max(right * width, 1), max(painted) / 4)))


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise ImageError(f"marks cannot be read: give {FORMS}")


def _numbers(value: Any, count: int) -> list[float]:
    numbers = _list(value)
    if len(numbers) != count or not all(
        isinstance(number, int | float) and abs(number) < 1e6  # neither infinite nor NaN
        for number in numbers
    ):
        raise ImageError(f"{shown(value)} in marks: give {count} number(s), as in {FORMS}")
    return numbers
