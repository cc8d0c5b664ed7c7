"""Batches for Lightning: what every data module shares, whatever set it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from lseg.data.base.dataset import FolderDataset
from lseg.data.base.fingerprint import fingerprint
from lseg.data.base.items import SegmentationData, collate
from lseg.data.base.loader import TrainLoader
from lseg.data.base.sampler import EpochSampler, ExactSampler
from lseg.data.base.skipping import SkippingData
from lseg.errors import ConfigError, DataError


@dataclass(frozen=True)
class TrainingFacts:
    """What a set was to a training, for its record.

    Attributes:
        name: What the training calls it.
        source: Where it is from: a published set's name, a folder, or the class that makes it.
        licence: As its publisher states it; empty if unknown.
        pictures: How many there are.
        labels: How many labels.
        share: Of the pictures that are drawn, between 0 and 1.
        seed: Of its order and augmentations.
        files: See `fingerprint`; None where pictures are drawn, not read.
    """

    name: str
    source: str
    licence: str
    pictures: int
    labels: int
    share: float
    seed: int
    files: dict[str, Any] | None = None


LabelSet = tuple[str, list[str]]
"""Name of a data set, and its labels in the order of its mask values."""


@dataclass(kw_only=True)
class LoaderConfig:
    """How items become batches.

    Attributes:
        batch_size: Training items a batch, on each device.
        val_batch_size: Items a batch in validation and tests; above 1 only where all images have
            one size.
        workers: Processes that prepare the batches of a loader; 0 prepares them in this one. They
            live as long as the loader does.
        prefetch: Batches that each of them has ready ahead of training.
        seed: Of the order and the augmentations; 0 or more.
        repeat: Passes over the training set an epoch, each with other augmentations; for small
            sets.
        on_error: A training picture that cannot be read ends the run (`raise`), or the next one
            stands in for it (`skip`): it is told, and the result says how often. Validation and
            tests always end: their figures are of whole sets.
    """

    batch_size: int = 8
    val_batch_size: int = 1
    workers: int = 0
    prefetch: int = 2
    seed: int = 0
    repeat: int = 1
    on_error: Literal["raise", "skip"] = "raise"

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: If a number is out of range.
        """
        for name, least in (
            ("batch_size", 1),
            ("val_batch_size", 1),
            ("workers", 0),
            ("prefetch", 1),
            ("seed", 0),
            ("repeat", 1),
        ):
            value = getattr(self, name)
            if value < least:
                raise ConfigError(f"data.{name} is {value}; give {least} or more")


@dataclass(kw_only=True, eq=False, repr=False)
class SegmentationDataModule(LoaderConfig, LightningDataModule):
    """Loaders over the data sets that a subclass makes.

    A batch is {"image": (B, 3, H, W) uint8, "mask": (B, H, W) int64}. What a training batch holds
    is a function of (seed, epoch, position), whatever the number of workers.

    A subclass is a dataclass as well: its own fields are what a configuration says of the data, and
    the loaders' are inherited, so that all stand side by side in `data.init_args`.
    """

    def __post_init__(self) -> None:
        """Check the options; files are read when they are first needed."""
        LightningDataModule.__init__(self)
        super().__post_init__()

    def make_train_set(self) -> SegmentationData:
        """Build the training set; called once, when it is first needed."""
        raise NotImplementedError

    def make_val_sets(self) -> Mapping[str, SegmentationData]:
        """Build the validation sets by name, in the order of their loaders; called once."""
        raise NotImplementedError

    def make_test_sets(self) -> Mapping[str, SegmentationData]:
        """Build the test sets, as `make_val_sets`; the validation sets if not overridden."""
        return self.val_data

    @cached_property
    def train_data(self) -> SegmentationData:
        """The training set, made when it is first needed."""
        return self.make_train_set()

    @cached_property
    def val_data(self) -> Mapping[str, SegmentationData]:
        """The validation sets, made when they are first needed."""
        return self.make_val_sets()

    @cached_property
    def test_data(self) -> Mapping[str, SegmentationData]:
        """The test sets, made when they are first needed."""
        return self.make_test_sets()

    @property
    def labels(self) -> list[str]:
        """The label set of training, in the order of the mask values."""
        return self.train_data.labels

    @property
    def train_sets(self) -> list[LabelSet]:
        """Name and label set of each training set; of several, items say by "set" which one."""
        return [("train", self.labels)]

    @property
    def rest_labels(self) -> list[list[str]]:
        """For each of `train_sets`, labels that are right where it asks for the rest.

        Raises:
            ConfigError: If it is the only set.
        """
        if asks_rest(self.train_data):
            raise ConfigError(
                "background is 'rest', the labels of other sets: that is for sets of a "
                "lseg.data.MixedDataModule; use ignore or other"
            )
        return [[]]

    @property
    def source(self) -> str:
        """See `TrainingFacts`."""
        return type(self).__name__

    @property
    def licence(self) -> str:
        """See `TrainingFacts`."""
        return ""

    def training_facts(self) -> list[TrainingFacts]:
        """What is known of each of `train_sets`."""
        return [self.facts("train")]

    def facts(self, name: str, share: float = 1.0) -> TrainingFacts:
        """What is known of the training set, under a name."""
        pictures, labels = len(self.train_data), len(self.train_data.labels)
        files = fingerprint(self.train_data.files())
        return TrainingFacts(
            name, self.source, self.licence, pictures, labels, share, self.seed, files
        )

    def pixel_counts(self) -> Tensor:
        """Training pixels of each label, (N) int64, for `class_balance`.

        Raises:
            ConfigError: If the training set has no masks to count.
        """
        raise ConfigError(f"{type(self).__name__} cannot count pixels: set model.class_balance 0")

    def pixel_counts_by_set(self) -> list[Tensor]:
        """`pixel_counts` of each of `train_sets`."""
        return [self.pixel_counts()]

    @property
    def mean_name(self) -> str | None:
        """What the mean of the figures of all validation groups is logged as; None: it is not."""
        return None

    @property
    def val_sets(self) -> list[LabelSet]:
        """Name and label set of each validation loader, in their order."""
        return [(name, data.labels) for name, data in self.val_data.items()]

    @property
    def test_sets(self) -> list[LabelSet]:
        """Name and label set of each test loader, in their order."""
        return [(name, data.labels) for name, data in self.test_data.items()]

    @property
    def val_labels(self) -> list[str]:
        """Every label that validation asks for, each once, in order of first appearance."""
        return list(dict.fromkeys(label for _, labels in self.val_sets for label in labels))

    @property
    def ignore_value(self) -> int:
        """Mask value of items that counts neither in losses nor in metrics."""
        return self.train_data.ignore_index

    @property
    def first_counted_label(self) -> int:
        """Label from which on mIoU is averaged; 0 counts all."""
        return 0

    def make_sampler(self, data: SegmentationData) -> EpochSampler:
        """Return the order of the training set."""
        return EpochSampler(data, self.seed, self.repeat)

    def train_dataloader(self) -> TrainLoader:
        """Return the loader of shuffled, full batches.

        Raises:
            DataError: If the training set is too small for one batch.
        """
        data = self.train_data
        sampler = self.make_sampler(data)
        if len(sampler) < self.batch_size:
            raise DataError(
                f"{len(data)} training images read {self.repeat} times by "
                f"{sampler.num_replicas} processes fill no batch of {self.batch_size}: raise "
                "data.repeat or lower data.batch_size"
            )
        items = SkippingData(data) if self.on_error == "skip" else data
        batches = self._loader(items, sampler, self.batch_size, drop_last=True)
        return TrainLoader(batches, sampler, self._batches_done)

    def val_dataloader(self) -> list[DataLoader[dict[str, Tensor]]]:
        """Return a loader for each of `val_sets`, every item once, in order."""
        return [self._exact_loader(data) for data in self.val_data.values()]

    def test_dataloader(self) -> list[DataLoader[dict[str, Tensor]]]:
        """Return a loader for each of `test_sets`, every item once, in order."""
        return [self._exact_loader(data) for data in self.test_data.values()]

    def _batches_done(self) -> int:
        """Batches of the running epoch that training has had; none but in a resumed run."""
        trainer = self.trainer
        return trainer.fit_loop.batch_idx + 1 if trainer is not None and trainer.training else 0

    def _exact_loader(self, data: SegmentationData) -> DataLoader[dict[str, Tensor]]:
        return self._loader(data, ExactSampler(data), self.val_batch_size, drop_last=False)

    def _loader(
        self,
        data: SegmentationData,
        sampler: DistributedSampler[Any],
        batch_size: int,
        drop_last: bool,
    ) -> DataLoader[dict[str, Tensor]]:
        # Workers need no seed (items carry theirs) and no thread limit (torch gives them one).
        return DataLoader(
            data,  # type: ignore[arg-type]  # a protocol, not torch's Dataset
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            drop_last=drop_last,
            persistent_workers=self.workers > 0,
            prefetch_factor=self.prefetch if self.workers > 0 else None,
        )


def asks_rest(data: SegmentationData) -> bool:
    """Whether a set asks for the labels of others where it has none; see `BackgroundRule`."""
    return isinstance(data, FolderDataset) and data.asks_rest
