"""What the adaptors of published sets share: where files lie, which belong together, which rules.

A picture and its mask belong together by name, never by their position in a listing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lseg.data.base.folder import BACKGROUND, IGNORE, AnnotatedFolder, Background
from lseg.data.base.text_files import read_lines
from lseg.data.sets.label_table import LabelTable
from lseg.data.sets.mask_tables import IndexMasks, MaskTable
from lseg.errors import DataError, shown
from lseg.paths import is_file

TRAIN_VAL: Mapping[str, str] = {"train": "train", "val": "val"}
TRAINING_VALIDATION: Mapping[str, str] = {"train": "training", "val": "validation"}


class Place(NamedTuple):
    """Where files of one kind lie: `<folder>/<stem><suffix>`.

    Attributes:
        folder: The folder.
        suffix: The end of their names.
        nested: Whether they lie in subfolders, whose names are part of the stem.
        without: End of stems that are of another kind, though their names end with the suffix.
    """

    folder: Path
    suffix: str
    nested: bool = False
    without: str | None = None

    def path(self, stem: str) -> Path:
        """A file."""
        return self.folder / f"{stem}{self.suffix}"

    def stems(self) -> set[str]:
        """What is there."""
        return set(self._found())

    def any(self) -> bool:
        """Whether anything is there."""
        return next(self._found(), None) is not None

    def _found(self) -> Iterator[str]:
        pattern = f"*/*{self.suffix}" if self.nested else f"*{self.suffix}"
        for path in self.folder.glob(pattern):
            stem = path.relative_to(self.folder).as_posix().removesuffix(self.suffix)
            other = self.without is not None and stem.endswith(self.without)
            if not other and not path.name.startswith("."):  # what other systems' archives leave
                yield stem


class SplitFiles(NamedTuple):
    """The files of a split, and what the values in its masks mean.

    Attributes:
        images: Where the pictures lie.
        masks: Where the masks lie.
        values: How masks are read.
        listed: The stems of the split in their order; None takes all files that are there.
        list_path: The file that lists them.
    """

    images: Place
    masks: Place
    values: MaskTable
    listed: Sequence[str] | None = None
    list_path: Path | None = None


class PublishedFolder(AnnotatedFolder):
    """A split of a published set.

    Attributes:
        homes: Names of the set's own folder.
        splits: The published splits, and what the set calls them in its folders.
        labels: Names and prompts of the classes.
        root: The set's own folder.
    """

    homes: tuple[str, ...]
    splits: Mapping[str, str]
    labels: LabelTable

    def __init__(self, root: Path, split: str = "val") -> None:
        """Find the folders; files are listed and opened later.

        Args:
            root: The set's own folder or the one around it.
            split: One of `splits`.

        Raises:
            DataError: If a folder is missing, or there is no such split.
        """
        self.root, self.split = _home(root, self.homes), split
        self.labels = self.read_labels()
        self.classes, self.prompts = self.labels.names, self.labels.prompts
        self.files = self.find_files()

    @classmethod
    @abstractmethod
    def read_labels(cls) -> LabelTable:
        """The classes."""

    @abstractmethod
    def find_files(self) -> SplitFiles:
        """Where the split's files lie.

        Raises:
            DataError: If a folder is missing, or there is no such split.
        """

    @cached_property
    def stems(self) -> Sequence[str]:
        """The pictures of the split: in the order of its list, or all that are there, sorted.

        Where there is no list, a picture without mask and a mask without picture are among them.

        Raises:
            DataError: If there are none.
        """
        files = self.files
        if files.listed is not None:
            return files.listed
        images, masks = files.images.stems(), files.masks.stems()
        if not images or not masks:
            self.stems_of(files.masks if images else files.images)  # which says what is missing
        return sorted(images | masks)

    def image_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.files.images.path(stem)

    def mask_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.files.masks.path(stem)

    def listed(self, stem: str) -> str:
        """The list, or the file of the same name."""
        if self.files.list_path is not None:
            return f"which {self.files.list_path} names"
        image, mask = self.image_path(stem), self.mask_path(stem)
        return f"which goes with {image if is_file(image) else mask}"

    def decode_mask(self, stem: str) -> np.ndarray:
        """See `AnnotatedFolder`."""
        return self.files.values.read(self.mask_path(stem))

    def index_masks(
        self, values: Sequence[int], indices: Sequence[int] | None = None
    ) -> IndexMasks:
        """What the values of masks mean by the set's rules.

        Args:
            values: Those of the classes.
            indices: The class of each; their position by default.
        """
        meanings = dict(
            zip(values, range(len(values)) if indices is None else indices, strict=True)
        )
        if self.reduce_zero_label:
            meanings[0] = BACKGROUND if self.background is Background.OTHER else IGNORE
        if self.ignore_value is not None:
            meanings[self.ignore_value] = IGNORE
        return IndexMasks(meanings)

    def part(self) -> str:
        """What the set calls the split.

        Raises:
            DataError: If there is no such split.
        """
        if self.split not in self.splits:
            raise DataError(
                f"{self.name} has no split {self.split!r}: give {' or '.join(self.splits)}"
            )
        return self.splits[self.split]

    def folder(self, *names: str) -> Path:
        """The first of some folders that exists, relative to the root.

        Raises:
            DataError: If none does.
        """
        found = next((self.root / name for name in names if (self.root / name).is_dir()), None)
        if found is None:
            which = " or ".join(str(self.root / name) for name in names)
            raise DataError(f"there is no folder {which}.\nExpected: {self.layout}")
        return found

    def stems_of(self, place: Place) -> list[str]:
        """What is in a place, sorted, where pictures of all splits lie in one folder.

        Raises:
            DataError: If nothing is.
        """
        found = sorted(place.stems())
        if not found:
            raise DataError(f"there is no file {place.path('<name>')}.\nExpected: {self.layout}")
        return found

    def read_list(self, name: str) -> tuple[Path, list[str]]:
        """A list of stems, and where it lies.

        Args:
            name: Of the file, relative to the root.

        Raises:
            DataError: If it is missing or empty, or names a picture twice.
        """
        path = self.root / name
        if not is_file(path):
            there = ", ".join(sorted(p.name for p in path.parent.glob("*.txt"))) or "none"
            raise DataError(
                f"there is no list {shown(path.name)} in {path.parent}; lists there: {there}.\n"
                f"Expected: {self.layout}"
            )
        stems = read_lines(path, DataError)
        if twice := [stem for stem, count in Counter(stems).items() if count > 1]:
            raise DataError(f"{path} names {shown(twice[0])} more than once: name each only once")
        return path, stems


def missing_files(folder: AnnotatedFolder) -> list[str]:
    """Say which pictures of a set have no mask, and which masks no picture; none is opened."""
    missing = []
    for stem in folder.stems:
        image, mask = folder.image_path(stem), folder.mask_path(stem)
        if not is_file(mask):
            missing.append(f"{image.name} has no mask {mask}")
        if not is_file(image):
            missing.append(f"{mask.name} has no picture {image}")
    return missing


def refuse_missing_files(folder: AnnotatedFolder) -> None:
    """Check that every picture has a mask and every mask a picture.

    Raises:
        DataError: If not; it names the first ones.
    """
    missing = missing_files(folder)
    if missing:
        more = f", and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise DataError(
            f"{folder.name}: {'; '.join(missing[:3])}{more}. `lseg data check --dataset "
            f"{folder.name}` lists all.\nExpected: {folder.layout}"
        )


def _home(root: Path, names: Sequence[str]) -> Path:
    """The set's own folder: the first of these names below `root`, or `root` itself."""
    return next((root / name for name in names if (root / name).is_dir()), root)
