"""From the values of mask files to class indices, whichever value means "no label"."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from lseg.data.base.folder import IGNORE
from lseg.errors import DataError

_UNKNOWN = -3
_VALUES = 65536
MAX_CLASSES = 32767
"""Class indices are int16."""


def ignore_value(labels: int) -> int:
    """Mask value of items for what counts neither in losses nor in metrics.

    255, as everywhere, or 65535 where 255 is a label's.
    """
    return 255 if labels <= 255 else 65535


class ValueTable:
    """Meanings by value: class indices, and the constants of `lseg.data.base.folder`."""

    def __init__(self, meanings: Mapping[int, int], accepted: str) -> None:
        """Lay the table out.

        Args:
            meanings: By value; one that is not there is an error in a mask.
            accepted: The values in words, for messages.
        """
        self._accepted = accepted
        self._table = np.full(_VALUES, _UNKNOWN, np.int16)
        for value, meaning in meanings.items():
            if 0 <= value < _VALUES:
                self._table[value] = meaning

    def decode(self, values: np.ndarray, name: str) -> np.ndarray:
        """Return meanings, (H, W) int16, of the values of a file, (H, W).

        Raises:
            DataError: If there are values without a meaning; `name` is what it calls the file.
        """
        mask = self._table[values]
        if (mask == _UNKNOWN).any():
            unknown = np.unique(values[mask == _UNKNOWN]).tolist()
            listed = ", ".join(map(str, unknown[:10])) + (", ..." if len(unknown) > 10 else "")
            raise DataError(f"{name} has the values {listed}; accepted are {self._accepted}")
        return mask


class MaskValues:
    """What each value of a set's mask files means.

    Classes that are left out have no index: those after them move up, so that indices are 0 to
    N - 1 without a gap, and one constant, `IGNORE`, stands for all that has no label.

    Attributes:
        kept: Positions of the classes that are not left out, among the names given.
        classes: Their names; what masks are decoded to indexes them.
    """

    def __init__(self, names: Sequence[str], ignored: Collection[int], first: int = 0) -> None:
        """Number the classes.

        Args:
            names: The class of each value, in order.
            ignored: Values of pixels without a label; they may be those of classes, which are then
                left out.
            first: Value of the first class.

        Raises:
            DataError: If no class is left, or there are too many.
        """
        if len(names) > MAX_CLASSES:
            raise DataError(f"{len(names)} classes: there may be {MAX_CLASSES} at most")
        self.ignored = tuple(sorted(ignored))
        self.values = [first + i for i in range(len(names)) if first + i not in ignored]
        self.kept = [value - first for value in self.values]
        if not self.kept:
            raise DataError(f"no class is left: {', '.join(names)} has the value that is ignored")
        self.classes = tuple(names[position] for position in self.kept)
        known = {value: index for index, value in enumerate(self.values)}
        self._table = ValueTable(
            {**known, **dict.fromkeys(self.ignored, IGNORE)},
            f"{spans(self.values)} (the {len(self.values)} classes) and {spans(self.ignored)} "
            "(ignore_index)",
        )

    def decode(self, values: np.ndarray, name: str) -> np.ndarray:
        """Return class indices or `IGNORE`, (H, W) int16, of a file's values, (H, W) unsigned.

        Raises:
            DataError: If there are others than those of classes and of unlabelled pixels.
        """
        return self._table.decode(values, name)


def spans(numbers: Iterable[int]) -> str:
    """Write ascending numbers as people do: `0 to 4, 6`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in found)
