"""The published sets as training and validation data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder_data import FolderDataModule
from lseg.data.base.labels import class_prompts
from lseg.data.sets.class_labels import ClassLabels, ClassNaming
from lseg.data.sets.published import refuse_missing_files
from lseg.data.sets.registry import SetName, open_set


@dataclass(eq=False, repr=False)
class PublishedDataModule(FolderDataModule):
    """Train and validate on a published set, in the folders in which it is published.

    Attributes:
        dataset: Its name; see `SetName`.
        root: The set's own folder or the one around it; a relative path is looked up under
            LSEG_DATA, which is itself the default.
        names: How classes are called, where `prompts` does not say; see `ClassNaming`.
        prompts: {class name: prompt}, or a JSON file that holds it, looked up as `root` is.
    """

    dataset: SetName
    root: str | Path = "."
    names: ClassNaming = "plain"
    prompts: str | Path | dict[str, str] | None = None

    @property
    def source(self) -> str:
        """See `TrainingFacts`."""
        return self.dataset

    def open_split(self, name: str) -> FolderDataset:
        """See `FolderDataModule`."""
        folder = open_set(self.dataset, self.root, name)
        if self.prompts is None:
            labels = ClassLabels(self.names).labels(folder.classes, folder.prompts)
        else:
            labels = class_prompts(self.prompts, folder.classes)
        refuse_missing_files(folder)
        return FolderDataset(folder, labels, seed=self.seed)
