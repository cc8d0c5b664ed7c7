"""A `pairs` folder as a benchmark's tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lseg.data.base.images import load_mask
from lseg.data.base.sources import IGNORE, Part
from lseg.data.sets.pairs import PairsDataset


class PairsTree:
    """The pictures of one list of a `PairsDataset`; see `Tree`. A stem is the picture's path."""

    name = "pairs"
    offset = 0
    ignore = True
    layout = "<root>/classes.txt, and <root>/<split>.txt with lines `image mask`"

    def __init__(self, data: PairsDataset) -> None:
        self.data = data
        self.classes = tuple(data.classes)
        self._pairs = {str(pair.image.relative_to(data.root)): pair for pair in data.pairs}

    def image_path(self, stem: str) -> Path:
        """See `Tree`."""
        return self._pairs[stem].image

    def mask_path(self, stem: str) -> Path:
        """See `Tree`."""
        return self._pairs[stem].mask

    def mask(self, stem: str) -> np.ndarray:
        """Values as in the file but for the ignore index."""
        path = self.mask_path(stem)
        values = load_mask(path)
        self.data.check_values(values, path)
        mask = values.astype(np.int16)
        mask[values == self.data.ignore_index] = IGNORE
        return mask

    def stems(self, part: Part) -> list[str]:
        """The whole list, in its order, whatever the part."""
        return list(self._pairs)
