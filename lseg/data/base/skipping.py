"""Broken pictures in a training: passed over and counted, where the configuration says so."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor

from lseg.data.base.fingerprint import File
from lseg.data.base.items import ItemKey, SegmentationData, split_key
from lseg.errors import DataError, ImageError, LSegWarning

PASSED_OVER = "passed_over"
"""Key of an item's or a batch's part that counts pictures which could not be read for it."""

MOST = 10
"""So many broken pictures in a row are no accident."""


class SkippingData:
    """A data set in which the next picture that can be read stands in for a broken one.

    Which one that is depends on the key alone, so that batches stay a function of (seed, epoch,
    position), whatever the workers. Each broken picture is told once by each process that reads.
    """

    def __init__(self, data: SegmentationData) -> None:
        """Take a set."""
        self.data = data
        self.labels, self.ignore_index = data.labels, data.ignore_index
        self._told: set[int] = set()

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.data)

    def __getitem__(self, key: ItemKey) -> dict[str, Tensor]:
        """Return the item of a key, or of the next index whose files can be read.

        Raises:
            DataError: If too many in a row cannot.
        """
        epoch, index = split_key(key)
        tried = min(MOST, len(self.data))
        for passed in range(tried):
            place = (index + passed) % len(self.data)
            try:
                item = self.data[(epoch, place)]
            except (ImageError, DataError) as error:
                self._tell(place, str(error))
            else:
                return {**item, PASSED_OVER: torch.tensor(passed)}
        raise DataError(
            f"{tried} pictures in a row cannot be read, for the reasons above: `lseg data check` "
            "lists them all"
        )

    def files(self) -> Iterable[File]:
        """Return what the items are read from."""
        return self.data.files()

    def _tell(self, place: int, reason: str) -> None:
        if place not in self._told:
            self._told.add(place)
            text = f"passed over, as data.on_error says: {' '.join(reason.split())}"
            warnings.warn(text, LSegWarning, stacklevel=2)
