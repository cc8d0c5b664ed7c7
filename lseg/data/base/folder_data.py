"""What the data modules of folders of pictures and masks share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from lseg.data.base.background import BackgroundRule, evaluated
from lseg.data.base.datamodule import SegmentationDataModule
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.items import SegmentationData
from lseg.data.base.transforms import AugmentConfig, JointTransform
from lseg.data.base.turned_pictures import warn_of_ambiguity


@dataclass(kw_only=True, eq=False, repr=False)
class FolderDataModule(SegmentationDataModule):
    """Train on one split of a folder, validate and test on others, whose pictures keep their size.

    Attributes:
        train_split: Split to train on.
        val_split: Split to validate on.
        test_split: Split to test on; None takes the validation split.
        background: What pixels are that show none of the classes; see `BackgroundRule`. By default
            a class of the set counts, and what the set labels as no class is ignored. Validation
            asks for no `other` that is no class of the set, as evaluation does not.
        augment: How training pictures are varied.
    """

    train_split: str = "train"
    val_split: str = "val"
    test_split: str | None = None
    background: BackgroundRule | None = None
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    @property
    def licence(self) -> str:
        """See `TrainingFacts`."""
        data = self.train_data
        return data.folder.licence if isinstance(data, FolderDataset) else ""

    def open_split(self, name: str) -> FolderDataset:
        """Open a split; `augment` and `background` are added here."""
        raise NotImplementedError

    def make_train_set(self) -> FolderDataset:
        """Build the training set, with augmentations."""
        data = self._training_split()
        data.transform = JointTransform(self.augment, data.ignore_index)
        return data

    def make_val_sets(self) -> dict[str, SegmentationData]:
        """Build the one validation set, "val"."""
        return {"val": self._evaluated_split(self.val_split)}

    def make_test_sets(self) -> Mapping[str, SegmentationData]:
        """Build the one test set, "test"; without a test split it is "val"."""
        if self.test_split is None:
            return super().make_test_sets()
        return {"test": self._evaluated_split(self.test_split)}

    def pixel_counts(self) -> Tensor:
        """Pixels of each label in the masks of the training split, (N) int64."""
        return self._training_split().pixel_counts()

    def _training_split(self) -> FolderDataset:
        data = self._opened(self.train_split)
        data.ask_background(self.background)
        return data

    def _evaluated_split(self, name: str) -> FolderDataset:
        data = self._opened(name)
        data.ask_background(evaluated(data.folder, self.background))
        return data

    def _opened(self, name: str) -> FolderDataset:
        data = self.open_split(name)
        warn_of_ambiguity(data.folder)
        return data
