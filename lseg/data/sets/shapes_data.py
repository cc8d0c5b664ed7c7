"""The shapes world as training and validation data."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from numpy.random import default_rng
from torch import Tensor
from torch.utils.data import Dataset

from lseg.data.base.datamodule import SegmentationDataModule
from lseg.data.base.items import ItemKey, SegmentationData, split_key
from lseg.data.sets.shapes import (
    NUM_FOLDS,
    check_classes,
    check_series,
    draw,
    fold_classes,
    seen_classes,
)
from lseg.errors import ConfigError

# Validation pictures stay the same whatever the training seed, so that runs can be compared; the
# number is one that nobody chooses for training.
_VAL_SEED = 1_000_000_007


class ShapesDataset(Dataset[dict[str, Tensor]]):
    """Pictures of the shapes world with dense labels.

    An item is `{"image": (3, size, size) uint8, "mask": (size, size) int64}`; the mask's values
    index `labels`, which are the background's label, then the classes. A key is an index, or a
    pair (epoch, index): the same pair always gives the same picture, another epoch another one.
    """

    ignore_index: int = 255  # left out of losses and metrics, as everywhere; never drawn here

    def __init__(
        self,
        classes: Sequence[str],
        length: int,
        size: int = 128,
        seed: int = 0,
        background: str = "background",
        max_objects: int = 5,
    ) -> None:
        """Describe the pictures.

        Args:
            classes: What may occur, names of `CLASSES`; also the order of the labels.
            length: Pictures an epoch.
            size: Side of a picture in pixels, 32 or more.
            seed: Distinguishes series of pictures; 0 or more.
            background: Label of all that is no object.
            max_objects: Each picture has 1 to `max_objects` objects.

        Raises:
            ConfigError: If a class is unknown or repeated, or a number is out of range.
        """
        self.classes = check_classes(classes)
        if background in self.classes:
            raise ConfigError(f"the background label {background!r} is one of the classes as well")
        check_series(length, size, seed)
        if max_objects < 1:
            raise ConfigError(f"max_objects must be 1 or more, not {max_objects=}")
        self.labels = [background, *self.classes]
        self.length, self.size, self.seed, self.max_objects = length, size, seed, max_objects

    def __len__(self) -> int:
        """Return the number of pictures an epoch."""
        return self.length

    def files(self) -> tuple[()]:
        """None: pictures are drawn."""
        return ()

    def __getitem__(self, key: ItemKey) -> dict[str, Tensor]:
        """Draw the picture of (epoch, index); a bare index means epoch 0."""
        epoch, index = split_key(key)
        index = operator.index(index)
        if not 0 <= index < self.length:
            raise IndexError(f"index {index} is not in 0 to {self.length - 1}")
        rng = default_rng([self.seed, operator.index(epoch), index])
        image, mask = draw(rng, self.size, self.classes, max_objects=self.max_objects)
        return {"image": torch.from_numpy(image), "mask": torch.from_numpy(mask).long()}


@dataclass(eq=False, repr=False)
class ShapesDataModule(SegmentationDataModule):
    """Train on the seen combinations of colour and shape, validate on those and the held-out ones.

    A validation set shows the nine classes of one fold and is asked for these and the background:
    "unseen" the classes of the fold that no training picture shows, "seen/fold<k>" those of each
    other fold. All label lists are of one length, so their figures compare.

    Attributes:
        fold: Which nine classes to hold out, 0 to 3.
        train_length: Training pictures an epoch; new ones each epoch.
        val_length: Pictures of each validation set; always the same ones.
        size: Side of a picture in pixels.
        background: Label of all that is no object.
    """

    fold: int = 0
    train_length: int = 4096
    val_length: int = 256
    size: int = 128
    background: str = "background"
    batch_size: int = field(default=16, kw_only=True)
    val_batch_size: int = field(default=16, kw_only=True)

    def make_train_set(self) -> ShapesDataset:
        """Build the training set, of seen classes only."""
        return self._pictures(seen_classes(self.fold), self.train_length, self.seed)

    def make_val_sets(self) -> dict[str, SegmentationData]:
        """Build the three validation sets of seen classes and the one of unseen ones."""
        names = {fold: f"seen/fold{fold}" for fold in range(NUM_FOLDS) if fold != self.fold}
        return {
            name: self._pictures(fold_classes(fold), self.val_length, _VAL_SEED)
            for fold, name in (names | {self.fold: "unseen"}).items()
        }

    def _pictures(self, classes: list[str], length: int, seed: int) -> ShapesDataset:
        return ShapesDataset(classes, length, self.size, seed, self.background)
