"""Zero-shot training items: what a picture is asked for, and which pixels are then right.

A class of the benchmark is *seen* if the list names it. Pixels of all other classes are no
positive target of any item, whichever classes the masks hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lseg.data.base.items import Key, split_key
from lseg.data.base.sources import BACKGROUND, IGNORE, Entry, MaskSource
from lseg.data.base.transforms import JointTransform
from lseg.data.fewshot.queries import resize_image, resize_mask
from lseg.errors import DataError, LabelError

IGNORE_INDEX = 65535
"""Mask value of pixels that do not count; above every label (FSS-1000 trains on 520 classes)."""


class Vocabulary:
    """The labels of a training: the background's, then those of the seen classes.

    Attributes:
        classes: Indices of the seen classes in the benchmark, ascending; label i + 1 is classes[i].
        labels: What to ask the text encoder for.
    """

    def __init__(
        self, source: MaskSource, background: str = "others", names: Sequence[str] | None = None
    ) -> None:
        """Take the seen classes from a list.

        Args:
            source: Whose entries name the seen classes.
            background: Label of all that is not asked for; `others` in LSeg.
            names: A label for each class of the benchmark; its own names by default.

        Raises:
            DataError: If the list is empty.
            LabelError: If `names` does not fit the benchmark.
        """
        names = source.classes if names is None else names
        if len(names) != len(source.classes):
            raise LabelError(
                f"{len(names)} labels for the {len(source.classes)} classes of {source.name}: give "
                "one a class, in the benchmark's order"
            )
        self.classes = sorted({entry.class_index for entry in source.entries})
        if not self.classes:
            raise DataError(f"the training list of {source.name} is empty")
        self.labels = [background, *(names[index] for index in self.classes)]

    def label(self, class_index: int) -> int:
        """Return the label index of a seen class."""
        return 1 + self.classes.index(class_index)


class EveryEntry:
    """Each entry of a list once an epoch, as HSNet trains on PASCAL-5i."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Take the list."""
        self.entries = entries

    def __len__(self) -> int:
        """Return the number of items an epoch."""
        return len(self.entries)

    def __call__(self, epoch: int, index: int) -> Entry:
        """Return the entry of an index, in every epoch the same."""
        return self.entries[index]


class BalancedClasses:
    """A class, all as likely, then one of its entries, as HSNet trains on COCO-20i."""

    def __init__(self, entries: Sequence[Entry], seed: int = 0, items: int | None = None) -> None:
        """Group the list by class.

        Args:
            entries: The list.
            seed: Of the draws; 0 or more.
            items: Draws an epoch; by default as many as the list has pictures.
        """
        groups: dict[int, list[Entry]] = {}
        for entry in entries:
            groups.setdefault(entry.class_index, []).append(entry)
        self.groups = [groups[kind] for kind in sorted(groups)]
        self.seed = seed
        self.items = items or len({entry.picture for entry in entries})

    def __len__(self) -> int:
        """Return the number of items an epoch."""
        return self.items

    def __call__(self, epoch: int, index: int) -> Entry:
        """Return the entry that (seed, epoch, index) draws."""
        rng = np.random.default_rng([self.seed, epoch, index])
        group = self.groups[rng.integers(len(self.groups))]
        return group[rng.integers(len(group))]


Draws = EveryEntry | BalancedClasses


class _Items(Dataset[dict[str, Tensor]]):
    """Pictures of a source as squares, with masks of label indices."""

    ignore_index: int = IGNORE_INDEX

    def __init__(
        self,
        source: MaskSource,
        vocabulary: Vocabulary,
        size: int,
        transform: JointTransform | None,
        seed: int,
    ) -> None:
        self.source, self.vocabulary, self.size = source, vocabulary, size
        self.labels = vocabulary.labels
        self.transform, self.seed = transform, seed

    def _item(
        self, picture: int, targets: dict[int, int], rest: int, seed: tuple[int, int, int]
    ) -> dict[str, Tensor]:
        """Return image and mask; class c becomes `targets[c]`, all other classes `rest`."""
        image = resize_image(self.source.image(picture), self.size)
        values = resize_mask(self.source.mask(picture), self.size)
        mask = torch.full(values.shape, rest)
        for value, target in ({BACKGROUND: 0, IGNORE: IGNORE_INDEX} | targets).items():
            mask[values == value] = target
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=seed)
        return {"image": image, "mask": mask}


class TwoWayData(_Items):
    """LSeg's zero-shot task: a picture, one seen class of it, and the label set [others, class].

    An item is {"image": (3, size, size) uint8, "mask": (size, size) int64, "asked": (2,) int64}:
    the mask holds the index of the class in `labels`, `IGNORE_INDEX`, and 0 for all else, held-out
    classes included (in HSNet's benchmark they are background); `asked` are the two label indices.
    """

    def __init__(
        self,
        source: MaskSource,
        vocabulary: Vocabulary,
        draws: Draws,
        size: int = 480,
        transform: JointTransform | None = None,
        seed: int = 0,
    ) -> None:
        """Describe the items; pictures are read when they are asked for.

        Args:
            source: Pictures and masks.
            vocabulary: Labels; every class that is drawn must be one of them.
            draws: Which entries an epoch reads.
            size: Side of the squares that images and masks become, as in the benchmark's tests.
            transform: Of images and masks of that size.
            seed: First part of the transform's seed.
        """
        super().__init__(source, vocabulary, size, transform, seed)
        self.draws = draws

    def __len__(self) -> int:
        """Return the number of items an epoch."""
        return len(self.draws)

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """Return the item of an index, or of (epoch, index)."""
        epoch, index = split_key(key)
        picture, kind = self.draws(epoch, index)
        label = self.vocabulary.label(kind)
        item = self._item(picture, {kind: label}, 0, (self.seed, epoch, index))
        return {**item, "asked": torch.tensor([0, label])}


class SeenVocabularyData(_Items):
    """All seen classes at once: a picture, and every label of the vocabulary.

    An item is {"image": (3, size, size) uint8, "mask": (size, size) int64}; pixels of held-out
    classes are ignored, as they are no background of this label set.
    """

    def __init__(
        self,
        source: MaskSource,
        vocabulary: Vocabulary,
        entries: Sequence[Entry],
        size: int = 480,
        transform: JointTransform | None = None,
        seed: int = 0,
    ) -> None:
        """Describe the items, one a picture that `entries` name; the rest is as in TwoWayData."""
        super().__init__(source, vocabulary, size, transform, seed)
        self.pictures = sorted({entry.picture for entry in entries})
        self.targets = {kind: vocabulary.label(kind) for kind in vocabulary.classes}

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.pictures)

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """Return the item of an index, or of (epoch, index)."""
        epoch, index = split_key(key)
        seed = (self.seed, epoch, index)
        return self._item(self.pictures[index], self.targets, IGNORE_INDEX, seed)
