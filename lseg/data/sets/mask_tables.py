"""How the masks of published sets are read: indices whose ids may have gaps, or colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from lseg.data.base.colour_table import ColourTable
from lseg.data.base.folder import BACKGROUND, IGNORE
from lseg.data.base.images import load_colours, load_mask
from lseg.data.base.mask_values import ValueTable, spans


class MaskTable(Protocol):
    """What the values or the colours of mask files mean."""

    def read(self, path: Path) -> np.ndarray:
        """Return class indices, `BACKGROUND` and `IGNORE` of a file, (H, W) int16.

        Raises:
            ImageError: If it is unreadable.
            DataError: If it has values or colours without a meaning.
        """
        ...


class IndexMasks:
    """Masks of numbers of up to 16 bits."""

    def __init__(self, meanings: Mapping[int, int]) -> None:
        """`meanings` has the class index of each value, `BACKGROUND` or `IGNORE`."""
        words = {BACKGROUND: "no class", IGNORE: "unlabelled"}
        parts = [f"{spans(sorted(v for v, m in meanings.items() if m >= 0))} (the classes)"]
        for kind, word in words.items():
            if found := spans(sorted(v for v, m in meanings.items() if m == kind)):
                parts.append(f"{found} ({word})")
        self._table = ValueTable(meanings, ", ".join(parts))

    def read(self, path: Path) -> np.ndarray:
        """See `MaskTable`."""
        return self._table.decode(load_mask(path), str(path))


class ColourMasks:
    """Masks of colours."""

    def __init__(self, meanings: Mapping[int, int], origin: str) -> None:
        """Lay the table out.

        Args:
            meanings: The class index of each colour, 0xRRGGBB, `BACKGROUND` or `IGNORE`.
            origin: What says the colours, for messages.
        """
        self._table = ColourTable(meanings, f"which {origin} does not name")

    def read(self, path: Path) -> np.ndarray:
        """See `MaskTable`."""
        return self._table.decode(load_colours(path), str(path)).astype(np.int16)
