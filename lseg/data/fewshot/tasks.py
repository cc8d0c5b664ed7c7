"""Zero-shot training items: what a picture is asked for, and which pixels are then right.

A class of the benchmark is *seen* if the list names it. Pixels of all other classes are no
positive target of any item, whichever classes the masks hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lseg.data.base.fingerprint import File
from lseg.data.base.folder import BACKGROUND, IGNORE
from lseg.data.base.items import Augmentation, ItemKey, split_key
from lseg.data.fewshot.episode_data import resize
from lseg.data.fewshot.sources import Entry, MaskSource
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


class EveryPicture(EveryEntry):
    """Each picture of a list once an epoch, in rising order, with the first class named for it.

    For tasks that ask for all classes, whichever the list names.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Take the list."""
        first = {entry.picture: entry for entry in reversed(entries)}
        super().__init__([first[picture] for picture in sorted(first)])


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


EntrySampling = EveryEntry | BalancedClasses
"""Which entry of a list the item (epoch, index) is made of."""


class ZeroShotData(Dataset[dict[str, Tensor]]):
    """Pictures of a source as squares, with masks of label indices; base of the two tasks.

    An item has "image", (3, size, size) uint8, and "mask", (size, size) int64 of indices into
    `labels`, or `IGNORE_INDEX`.
    """

    ignore_index: int = IGNORE_INDEX

    def __init__(
        self,
        source: MaskSource,
        vocabulary: Vocabulary,
        sampling: EntrySampling,
        size: int = 480,
        transform: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        """Describe the items; pictures are read when they are asked for.

        Args:
            source: Pictures and masks.
            vocabulary: Labels; every class that is sampled must be one of them.
            sampling: Which entries an epoch reads.
            size: Side of the squares that images and masks become, as in the benchmark's tests.
            transform: Of images and masks of that size.
            seed: First part of the transform's seed.
        """
        self.source, self.vocabulary, self.sampling = source, vocabulary, sampling
        self.labels = vocabulary.labels
        self.size, self.transform, self.seed = size, transform, seed

    def __len__(self) -> int:
        """Return the number of items an epoch."""
        return len(self.sampling)

    def __getitem__(self, key: ItemKey) -> dict[str, Tensor]:
        """Return the item of an index, or of (epoch, index)."""
        epoch, index = split_key(key)
        return self.item(self.sampling(epoch, index), (self.seed, epoch, index))

    def files(self) -> Iterator[File]:
        """Return what the pictures of the source and their masks are read from."""
        for picture in range(len(self.source)):
            yield from self.source.files(picture)

    def item(self, entry: Entry, seed: tuple[int, int, int]) -> dict[str, Tensor]:
        """Return the item that is made of an entry, varied by `seed`."""
        raise NotImplementedError

    def _read(
        self, picture: int, labels: Mapping[int, int], rest: int, seed: tuple[int, int, int]
    ) -> dict[str, Tensor]:
        """Return image and mask; class c becomes `labels[c]`, all other classes `rest`."""
        image, values = resize(self.source.read(picture), self.size)
        mask = torch.full(values.shape, rest)
        for value, label in ({BACKGROUND: 0, IGNORE: IGNORE_INDEX} | dict(labels)).items():
            mask[values == value] = label
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=seed)
        return {"image": image, "mask": mask}


class TwoWayData(ZeroShotData):
    """LSeg's zero-shot task: a picture, one seen class of it, and the label set [others, class].

    In the mask all else is 0, held-out classes included (in HSNet's benchmark they are background).
    An item's "candidates" are the two label indices, (2,) int64.
    """

    def item(self, entry: Entry, seed: tuple[int, int, int]) -> dict[str, Tensor]:
        """See `ZeroShotData`."""
        label = self.vocabulary.label(entry.class_index)
        item = self._read(entry.picture, {entry.class_index: label}, 0, seed)
        return {**item, "candidates": torch.tensor([0, label])}


class SeenVocabularyData(ZeroShotData):
    """All seen classes at once: a picture, and every label of the vocabulary.

    Pixels of held-out classes are ignored, as they are no background of this label set.
    """

    def item(self, entry: Entry, seed: tuple[int, int, int]) -> dict[str, Tensor]:
        """See `ZeroShotData`."""
        labels = {kind: self.vocabulary.label(kind) for kind in self.vocabulary.classes}
        return self._read(entry.picture, labels, IGNORE_INDEX, seed)
