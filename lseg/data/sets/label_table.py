"""The label files of published sets: ids, names and prompts, in `lseg/assets/labels/<set>.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from lseg.data.base.text_files import read_lines
from lseg.errors import DataError
from lseg.paths import ASSETS


@dataclass(frozen=True)
class LabelTable:
    """The rows of a label file. Only those with a prompt are classes.

    Attributes:
        columns: Values of every row by the column's name: `id`, `name`, `prompt`, the file's own.
    """

    columns: dict[str, tuple[str, ...]]

    def column(self, name: str) -> tuple[str, ...]:
        """A column's values for the classes."""
        return self._where(name, classes=True)

    def numbers(self, name: str = "id") -> tuple[int, ...]:
        """A column of numbers, for the classes."""
        return tuple(map(int, self.column(name)))

    def unlabelled(self, name: str = "id") -> tuple[str, ...]:
        """A column's values for the rows that are no class."""
        return self._where(name, classes=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The set's own name of each class."""
        return self.column("name")

    @property
    def prompts(self) -> tuple[str, ...]:
        """What to ask a text encoder for, class by class: synonyms between bars."""
        return self.column("prompt")

    def without(self, name: str) -> LabelTable:
        """The table without a class."""
        kept = [row for row in self._rows() if row["name"] != name]
        return LabelTable({key: tuple(row[key] for row in kept) for key in self.columns})

    def _where(self, name: str, classes: bool) -> tuple[str, ...]:
        return tuple(row[name] for row in self._rows() if bool(row["prompt"]) == classes)

    def _rows(self) -> list[dict[str, str]]:
        return [
            dict(zip(self.columns, values, strict=True))
            for values in zip(*self.columns.values(), strict=True)
        ]


@cache
def read_labels(name: str) -> LabelTable:
    """The label file of a set, by the file's name without suffix; lines with `#` are comments."""
    path = ASSETS / "labels" / f"{name}.csv"
    header, *rows = csv.reader(line for line in read_lines(path, DataError) if line[0] != "#")
    return LabelTable(dict(zip(header, zip(*rows, strict=True), strict=True)))
