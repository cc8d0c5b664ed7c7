"""Training on several data sets at once, each with labels of its own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate, chain

import numpy as np
import torch
from torch import Tensor

from lseg.data.base.datamodule import (
    LabelSet,
    LoaderConfig,
    SegmentationDataModule,
    TrainingFacts,
    asks_rest,
)
from lseg.data.base.fingerprint import File
from lseg.data.base.items import SET, ItemKey, SegmentationData, split_key
from lseg.data.base.mask_values import ignore_value
from lseg.data.base.mixed_sampler import MixedSampler
from lseg.errors import ConfigError, DataError

MEAN = "mean"


class SameIgnoreValue:
    """A data set whose masks mark ignored pixels by the value that all sets of a mixture have."""

    def __init__(self, data: SegmentationData, ignore_index: int) -> None:
        """Take a set; `ignore_index` is no label's index."""
        self.data, self.ignore_index = data, ignore_index
        self.labels = data.labels

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.data)

    def __getitem__(self, key: ItemKey) -> dict[str, Tensor]:
        """Return the item of a key."""
        item = self.data[key]
        if self.data.ignore_index != self.ignore_index:
            ignored = item["mask"] == self.data.ignore_index
            item = {**item, "mask": item["mask"].masked_fill(ignored, self.ignore_index)}
        return item

    def files(self) -> Iterable[File]:
        """Return what the items are read from."""
        return self.data.files()


class MixedData:
    """Several data sets, one behind another; items say by "set" which one they are of.

    Attributes:
        parts: The sets.
        labels: All of their labels, each once. Masks hold indices into the labels of their own set.
        ignore_index: See `SegmentationData`.
    """

    def __init__(self, parts: Sequence[SegmentationData], ignore_index: int) -> None:
        """Take sets that all have `ignore_index`."""
        self.parts = list(parts)
        self.labels = list(dict.fromkeys(label for part in parts for label in part.labels))
        self.ignore_index = ignore_index
        self._ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        """Return the number of items of all sets."""
        return self._ends[-1]

    def __getitem__(self, key: ItemKey) -> dict[str, Tensor]:
        """Return the item of (epoch, index).

        Raises:
            DataError: If it is asked for labels of its own.
        """
        epoch, index = split_key(key)
        number = bisect_right(self._ends, index)
        first = self._ends[number] - len(self.parts[number])
        item = self.parts[number][(epoch, index - first)]
        if "candidates" in item:
            raise DataError(
                f"set {number} of the mixture asks each picture for labels of its own: such sets "
                "are trained on alone; a ZeroShotDataModule with `task: vocabulary` can be mixed"
            )
        return {**item, SET: torch.tensor(number)}

    def files(self) -> Iterable[File]:
        """Return what the items of all sets are read from."""
        return chain.from_iterable(part.files() for part in self.parts)


@dataclass(kw_only=True)
class MixedSet:
    """One of several training sets.

    Attributes:
        data: The set: its files, labels and augmentation. What concerns batches is the mixture's.
        weight: Pictures are drawn from the sets in the proportion of their weights; above 0.
    """

    data: SegmentationDataModule
    weight: float = 1.0


@dataclass(eq=False, repr=False)
class MixedDataModule(SegmentationDataModule):
    """Train on several sets at once, and validate on each.

    A batch mixes pictures of all sets. Each picture is asked for the labels of its own set, and a
    label that several sets have may mean something else in each. All training pictures must have
    one size, so their `augment.crop` one value.

    Attributes:
        sets: The sets by name.
    """

    sets: dict[str, MixedSet] = field(kw_only=True)

    def __post_init__(self) -> None:
        """Check the options, and give each set a seed of its own.

        Raises:
            ConfigError: If there are no sets, or an entry does not fit.
        """
        super().__post_init__()
        if not self.sets:
            raise ConfigError("data.sets is empty: give at least one set, `name: {data: ...}`")
        for name, entry in self.sets.items():
            _check(name, entry)
        self.sets = {
            name: replace(entry, data=replace(entry.data, seed=self._seed_of(position)))
            for position, (name, entry) in enumerate(self.sets.items())
        }

    @property
    def train_sets(self) -> list[LabelSet]:
        """See `SegmentationDataModule`."""
        return [(name, entry.data.labels) for name, entry in self.sets.items()]

    @property
    def rest_labels(self) -> list[list[str]]:
        """See `SegmentationDataModule`."""
        every = self.train_data.labels
        return [
            [label for label in every if asks_rest(part) and label not in part.labels]
            for part in (entry.data.train_data for entry in self.sets.values())
        ]

    @property
    def mean_name(self) -> str | None:
        """See `SegmentationDataModule`."""
        return MEAN if len(self.sets) > 1 else None

    @property
    def first_counted_label(self) -> int:
        """See `SegmentationDataModule`; one for all sets.

        Raises:
            ConfigError: If the sets differ.
        """
        first, *others = {entry.data.first_counted_label for entry in self.sets.values()}
        if others:
            raise ConfigError(
                "some of data.sets count their first label and some do not: train on one kind"
            )
        return first

    @property
    def ignore_value(self) -> int:
        """See `SegmentationDataModule`."""
        sets = [*self.train_sets, *self._own_vals]
        return ignore_value(max(len(labels) for _, labels in sets) + 1)  # one may ask for a rest

    def training_facts(self) -> list[TrainingFacts]:
        """See `SegmentationDataModule`."""
        whole = sum(entry.weight for entry in self.sets.values())
        entries = self.sets.items()
        return [entry.data.facts(name, entry.weight / whole) for name, entry in entries]

    def pixel_counts_by_set(self) -> list[Tensor]:
        """See `SegmentationDataModule`."""
        return [entry.data.pixel_counts() for entry in self.sets.values()]

    def make_train_set(self) -> MixedData:
        """Build the sets, with their augmentations."""
        ignore = self.ignore_value
        parts = [entry.data.train_data for entry in self.sets.values()]
        return MixedData([SameIgnoreValue(part, ignore) for part in parts], ignore)

    def make_val_sets(self) -> Mapping[str, SegmentationData]:
        """Build the validation sets: `<set>`, or `<set>/<name>` where one has several."""
        return self._named({name: entry.data.val_data for name, entry in self.sets.items()})

    def make_test_sets(self) -> Mapping[str, SegmentationData]:
        """Build the test sets, named as the validation sets."""
        return self._named({name: entry.data.test_data for name, entry in self.sets.items()})

    def make_sampler(self, data: SegmentationData) -> MixedSampler:
        """See `SegmentationDataModule`."""
        lengths = [len(entry.data.train_data) for entry in self.sets.values()]
        weights = [entry.weight for entry in self.sets.values()]
        return MixedSampler(lengths, weights, self.seed, self.repeat)

    def _seed_of(self, position: int) -> int:
        """A seed of its own for each set, so that no two are varied alike."""
        return int(np.random.SeedSequence((self.seed, position)).generate_state(1)[0])

    @property
    def _own_vals(self) -> list[LabelSet]:
        return [own for entry in self.sets.values() for own in entry.data.val_sets]

    def _named(
        self, groups: Mapping[str, Mapping[str, SegmentationData]]
    ) -> dict[str, SegmentationData]:
        ignore = self.ignore_value
        return {
            name if len(group) == 1 else f"{name}/{own}": SameIgnoreValue(data, ignore)
            for name, group in groups.items()
            for own, data in group.items()
        }


def _check(name: str, entry: MixedSet) -> None:
    """Refuse what a set cannot be in a mixture."""
    where = f"data.sets.{name}"
    if not name or "/" in name or name == MEAN:
        raise ConfigError(f"{where}: {name!r} cannot name a set: not {MEAN!r}, and no /")
    if not 0 < entry.weight < float("inf"):
        raise ConfigError(f"{where}.weight is {entry.weight}; give a number above 0")
    if isinstance(entry.data, MixedDataModule):
        raise ConfigError(f"{where}.data is a mixture itself: name its sets beside the others")
    defaults = {option.name: option.default for option in fields(entry.data)}
    for option in fields(LoaderConfig):
        if getattr(entry.data, option.name) != defaults[option.name]:
            raise ConfigError(
                f"{where}.data.{option.name} is not the set's to say: give data.{option.name}, "
                "which is of all sets"
            )
