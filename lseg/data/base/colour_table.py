"""From the colours of masks to values or class indices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lseg.errors import DataError


class ColourTable:
    """Values by colour."""

    def __init__(self, values: Mapping[int, int], missing: str) -> None:
        """Lay the table out.

        Args:
            values: Of each colour, 0xRRGGBB; one that is not there is an error in a mask.
            missing: How a message about such colours goes on, from "which" on.
        """
        self._missing = missing
        self._colours = np.array(sorted(values), np.uint32)
        self._values = np.array([values[colour] for colour in sorted(values)], np.int32)

    def decode(self, colours: np.ndarray, name: str) -> np.ndarray:
        """Return values, (H, W) int32, of colours, (H, W) uint32.

        Raises:
            DataError: If the table lacks one; `name` is what it calls the file.
        """
        places = np.searchsorted(self._colours, colours).clip(max=len(self._colours) - 1)
        wrong = self._colours[places] != colours
        if wrong.any():
            unknown = np.unique(colours[wrong]).tolist()
            listed = ", ".join(map(shown_colour, unknown[:5]))
            more = ", ..." if len(unknown) > 5 else ""
            raise DataError(f"{name} has the colours {listed}{more}, {self._missing}")
        return self._values[places]


def shown_colour(colour: int) -> str:
    """Write 0xRRGGBB as people do."""
    return f"#{colour:06x}"
