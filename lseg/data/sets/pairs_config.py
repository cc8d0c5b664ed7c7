"""`dataset.yaml` of a pairs folder: what masks of other tools mean, so that none is rewritten."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from lseg.data.base.colour_table import ColourTable, shown_colour
from lseg.data.base.mask_values import MaskValues
from lseg.data.base.orientation import Orientation
from lseg.data.base.text_files import read_text
from lseg.errors import DataError, shown
from lseg.parsing import parse_yaml

NAME = "dataset.yaml"


@dataclass(frozen=True)
class PairsConfig:
    """How the masks of a folder are read.

    Attributes:
        ignore_index: Mask value of pixels without a label, anywhere in the range; the class that
            has it, if one does, is left out. None is 255, or 65535 where 255 is a class.
        reduce_zero_label: 0 is no label, and line i (from 0) of classes.txt names mask value i + 1,
            as in ADE20K.
        colors: Colour of each class by its name, 0xRRGGBB, where masks hold colours.
        ignore_colors: Colours of pixels without a label.
        orientation: What masks lie over where pictures have an EXIF orientation.
        licence: Under which the set may be used; trainings record it.
    """

    ignore_index: int | None = None
    reduce_zero_label: bool = False
    colors: dict[str, int] = field(default_factory=dict)
    ignore_colors: tuple[int, ...] = ()
    orientation: Orientation = "auto"
    licence: str = field(default="", repr=False)  # no part of how masks are read

    @classmethod
    def read(cls, root: Path) -> PairsConfig:
        """Read the file of a folder; without one all is as by default.

        Raises:
            DataError: If it cannot be read, or something in it is unknown or of another kind.
        """
        path = root / NAME
        if not path.is_file():
            return cls()
        text = read_text(path, DataError)
        try:
            values = parse_yaml(text)
        except ValueError as error:
            raise DataError(f"{path} is no YAML: {error}") from error
        if not isinstance(values, dict | None):
            raise DataError(f"{path} must hold `name: value` on each line")
        return cls(**{key: _checked(key, value, path) for key, value in (values or {}).items()})

    def mask_values(self, names: Sequence[str]) -> MaskValues:
        """What each value means.

        Raises:
            DataError: If no class is left.
        """
        ignored = {self._ignored(len(names))} | ({0} if self.reduce_zero_label else set())
        return MaskValues(names, ignored, int(self.reduce_zero_label))

    def colour_table(self, names: Sequence[str], path: Path) -> ColourTable | None:
        """The values of colours; None where masks hold indices.

        Raises:
            DataError: If a name is no class, a colour is given twice, or `reduce_zero_label` is on.
        """
        if not self.colors:
            if self.ignore_colors:
                raise DataError(f"{path}: ignore_colors goes with colors, which is not there")
            return None
        if self.reduce_zero_label:
            raise DataError(f"{path}: reduce_zero_label is of masks of indices, colors of others")
        table: dict[int, int] = dict.fromkeys(self.ignore_colors, self._ignored(len(names)))
        for name, colour in self.colors.items():
            if name not in names:
                close = get_close_matches(name, names, 3, 0.5) or list(names[:3])
                raise DataError(
                    f"{path} has a colour of {name!r}, which classes.txt does not name; the "
                    f"closest are {', '.join(map(repr, close))}"
                )
            if colour in table:
                raise DataError(f"{path} gives the colour {shown_colour(colour)} twice")
            table[colour] = names.index(name)
        return ColourTable(table, f"which are in neither colors nor ignore_colors of {NAME}")

    def _ignored(self, classes: int) -> int:
        if self.ignore_index is not None:
            return self.ignore_index
        return 255 if classes + self.reduce_zero_label <= 255 else 65535


def _checked(key: object, value: Any, path: Path) -> Any:
    """The value of a field."""
    names = [item.name for item in fields(PairsConfig)]
    if key not in names:
        close = get_close_matches(str(key), names, 1)
        hint = f"did you mean {close[0]}?" if close else f"accepted are {', '.join(names)}"
        raise DataError(f"{path}: there is no setting {shown(key)}; {hint}")
    if key == "ignore_index":
        if value is None or (type(value) is int and 0 <= value <= 65535):
            return value
        raise DataError(f"{path}: ignore_index is {shown(value)}: give a mask value, 0 to 65535")
    if key == "reduce_zero_label":
        if isinstance(value, bool):
            return value
        raise DataError(f"{path}: reduce_zero_label is {shown(value)}: give true or false")
    if key == "orientation":
        if value in get_args(Orientation):
            return value
        accepted = ", ".join(get_args(Orientation))
        raise DataError(f"{path}: orientation is {shown(value)}: give one of {accepted}")
    if key == "licence":
        if isinstance(value, str):
            return value
        raise DataError(f"{path}: licence is {shown(value)}: give its name")
    if key == "ignore_colors":
        if not isinstance(value, list):
            raise DataError(f"{path}: ignore_colors must be a list of colours")
        return tuple(_colour(colour, path) for colour in value)
    if not isinstance(value, dict):
        raise DataError(f"{path}: colors must hold `class name: colour` on each line")
    return {str(name): _colour(colour, path) for name, colour in value.items()}


def _colour(value: Any, path: Path) -> int:
    if isinstance(value, str) and (found := re.fullmatch(r"#?([0-9a-fA-F]{6})", value.strip())):
        return int(found[1], 16)
    parts = value if isinstance(value, list) else []
    if len(parts) == 3 and all(type(part) is int and 0 <= part <= 255 for part in parts):
        return int.from_bytes(bytes(parts))
    raise DataError(f'{path}: {shown(value)} is no colour: give [128, 64, 128] or "#804080"')
