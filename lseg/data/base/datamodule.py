"""Data modules: data sets, samplers and loaders for Lightning, built from plain arguments."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from lseg.data.base.items import SegmentationData, collate
from lseg.data.base.sampler import EpochSampler, ExactSampler
from lseg.data.base.transforms import AugmentConfig, JointTransform
from lseg.data.sets.pairs import PairsDataset
from lseg.data.sets.shapes import NUM_FOLDS, ShapesDataset, fold_classes, seen_classes
from lseg.errors import ConfigError, DataError

DEFAULT_AUGMENT = AugmentConfig()

# Validation pictures stay the same whatever the training seed, so that runs can be compared; the
# number is one that nobody chooses for training.
_VAL_SEED = 1_000_000_007


class SegmentationDataModule(LightningDataModule):
    """Loaders over the data sets that a subclass makes.

    A batch is {"image": (B, 3, H, W) uint8, "mask": (B, H, W) int64}. What a training batch holds
    is a function of (seed, epoch, position), whatever the number of workers.
    """

    def __init__(
        self,
        batch_size: int = 8,
        val_batch_size: int = 1,
        workers: int = 0,
        seed: int = 0,
        repeat: int = 1,
    ) -> None:
        """Set how batches are made.

        Args:
            batch_size: Training items a batch, on each device.
            val_batch_size: Items a batch in validation and tests; above 1 only where all images
                have one size.
            workers: Processes that prepare the batches of a loader; 0 prepares them in this one.
            seed: Of the order and the augmentations; 0 or more.
            repeat: Passes over the training set an epoch, for small sets.

        Raises:
            ConfigError: If a number is out of range.
        """
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("val_batch_size", val_batch_size, 1),
            ("workers", workers, 0),
            ("seed", seed, 0),
            ("repeat", repeat, 1),
        ):
            if value < least:
                raise ConfigError(f"data.{name} is {value}; give {least} or more")
        self.batch_size = batch_size
        self.val_batch_size = val_batch_size
        self.workers = workers
        self.seed = seed
        self.repeat = repeat

    def make_train_set(self) -> SegmentationData:
        """Build the training set; called once, when it is first needed."""
        raise NotImplementedError

    def make_val_sets(self) -> Mapping[str, SegmentationData]:
        """Build the validation sets by name, in the order of their loaders; called once."""
        raise NotImplementedError

    def make_test_sets(self) -> Mapping[str, SegmentationData]:
        """Build the test sets, as `make_val_sets`; the validation sets if not overridden."""
        return self._val_data

    @cached_property
    def _train_data(self) -> SegmentationData:
        return self.make_train_set()

    @cached_property
    def _val_data(self) -> Mapping[str, SegmentationData]:
        return self.make_val_sets()

    @cached_property
    def _test_data(self) -> Mapping[str, SegmentationData]:
        return self.make_test_sets()

    @property
    def labels(self) -> list[str]:
        """The label set of training, in the order of the mask values."""
        return self._train_data.labels

    def pixel_counts(self) -> Tensor:
        """Training pixels of each label, (N) int64, for `class_balance`.

        Raises:
            ConfigError: If the training set has no masks to count.
        """
        raise ConfigError(f"{type(self).__name__} cannot count pixels: set model.class_balance 0")

    @property
    def val_sets(self) -> list[tuple[str, list[str]]]:
        """Name and label set of each validation loader, in their order."""
        return [(name, data.labels) for name, data in self._val_data.items()]

    @property
    def test_sets(self) -> list[tuple[str, list[str]]]:
        """Name and label set of each test loader, in their order."""
        return [(name, data.labels) for name, data in self._test_data.items()]

    @property
    def val_labels(self) -> list[str]:
        """Every label that validation asks for, each once, in order of first appearance."""
        return list(dict.fromkeys(label for _, labels in self.val_sets for label in labels))

    @property
    def ignore_index(self) -> int:
        """Mask value that counts neither in losses nor in metrics."""
        return self._train_data.ignore_index

    @property
    def first_counted_label(self) -> int:
        """Label from which on mIoU is averaged; 0 counts all."""
        return 0

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return the loader of shuffled, full batches.

        Raises:
            DataError: If the training set is too small for one batch.
        """
        data = self._train_data
        sampler = EpochSampler(data, self.seed, self.repeat)
        if len(sampler) < self.batch_size:
            raise DataError(
                f"{len(data)} training images read {self.repeat} times by "
                f"{sampler.num_replicas} processes fill no batch of {self.batch_size}: raise "
                "data.repeat or lower data.batch_size"
            )
        return self._loader(data, sampler, self.batch_size, drop_last=True)

    def val_dataloader(self) -> list[DataLoader[dict[str, Tensor]]]:
        """Return a loader for each of `val_sets`, every item once, in order."""
        return [self._exact_loader(data) for data in self._val_data.values()]

    def test_dataloader(self) -> list[DataLoader[dict[str, Tensor]]]:
        """Return a loader for each of `test_sets`, every item once, in order."""
        return [self._exact_loader(data) for data in self._test_data.values()]

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
        )


class PairsDataModule(SegmentationDataModule):
    """Train and validate on a folder of image and mask pairs (see `PairsDataset`)."""

    def __init__(
        self,
        root: str | Path,
        train_split: str = "train",
        val_split: str = "val",
        test_split: str | None = None,
        prompts: str | Path | None = None,
        ignore_index: int = 255,
        augment: AugmentConfig = DEFAULT_AUGMENT,
        batch_size: int = 8,
        val_batch_size: int = 1,
        workers: int = 0,
        seed: int = 0,
        repeat: int = 1,
    ) -> None:
        """Describe the data; files are read when they are first needed.

        Args:
            root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
            train_split: List to train on.
            val_split: List to validate on; its images keep their own size.
            test_split: List to test on; None takes the validation list.
            prompts: JSON file {class name: prompt}, looked up as `root` is.
            ignore_index: Mask value to leave out.
            augment: How training pictures are varied.
            batch_size: Training items a batch, on each device.
            val_batch_size: Items a batch in validation and tests.
            workers: Processes that prepare the batches of a loader.
            seed: Of the order and the augmentations; 0 or more.
            repeat: Passes over the training list an epoch, each with other augmentations.
        """
        super().__init__(batch_size, val_batch_size, workers, seed, repeat)
        self.root = root
        self.train_split = train_split
        self.val_split = val_split
        self.test_split = test_split
        self.prompts = prompts
        self.mask_ignore = ignore_index
        self.augment = augment

    def make_train_set(self) -> PairsDataset:
        """Build the training set, with augmentations."""
        transform = JointTransform(self.augment, self.mask_ignore)
        return PairsDataset(
            self.root, self.train_split, self.mask_ignore, self.prompts, transform, self.seed
        )

    def pixel_counts(self) -> Tensor:
        """Pixels of each class in the masks of the training list, (N) int64."""
        return self._plain(self.train_split).pixel_counts()

    def make_val_sets(self) -> dict[str, SegmentationData]:
        """Build the one validation set, "val"."""
        return {"val": self._plain(self.val_split)}

    def make_test_sets(self) -> Mapping[str, SegmentationData]:
        """Build the one test set, "test"; without a test split it is "val"."""
        if self.test_split is None:
            return super().make_test_sets()
        return {"test": self._plain(self.test_split)}

    def _plain(self, split: str) -> PairsDataset:
        return PairsDataset(self.root, split, self.mask_ignore, self.prompts)


class ShapesDataModule(SegmentationDataModule):
    """Train on the seen combinations of colour and shape, validate on those and the held-out ones.

    A validation set shows the nine classes of one fold and is asked for these and the background:
    "unseen" the classes of the fold that no training picture shows, "seen/fold<k>" those of each
    other fold. All label lists are of one length, so their figures compare.
    """

    def __init__(
        self,
        fold: int = 0,
        train_length: int = 4096,
        val_length: int = 256,
        size: int = 128,
        background: str = "background",
        batch_size: int = 16,
        val_batch_size: int = 16,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        """Describe the data; pictures are drawn when they are asked for.

        Args:
            fold: Which nine classes to hold out, 0 to 3.
            train_length: Training pictures an epoch; new ones each epoch.
            val_length: Pictures of each validation set; always the same ones.
            size: Side of a picture in pixels.
            background: Label of all that is no object.
            batch_size: Training pictures a batch, on each device.
            val_batch_size: Pictures a batch in validation and tests.
            workers: Processes that draw pictures for a loader.
            seed: Of the training pictures; 0 or more.
        """
        super().__init__(batch_size, val_batch_size, workers, seed)
        self.fold = fold
        self.train_length = train_length
        self.val_length = val_length
        self.size = size
        self.background = background

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
