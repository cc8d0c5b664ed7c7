"""Image and mask files listed in a text file: one's own data, or any converted set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from lseg.data.base.check import picture_problems
from lseg.data.base.datamodule import SegmentationDataModule
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder import IGNORE, AnnotatedFolder
from lseg.data.base.images import load_mask
from lseg.data.base.items import Augmentation, SegmentationData
from lseg.data.base.labels import load_prompts, parse_labels
from lseg.data.base.text_files import read_text
from lseg.data.base.transforms import AugmentConfig, JointTransform
from lseg.errors import DataError
from lseg.paths import is_file, resolve_data_path

_LAYOUT = """
  <root>/classes.txt   one class a line; line i (from 0) names mask value i
  <root>/<split>.txt   a line an image: `path/of/image.jpg path/of/mask.png`, relative to <root>
  masks                8-bit single-channel PNG of class indices"""


class Pair(NamedTuple):
    """An image file, its mask file, and the line of the list that names them (from 1)."""

    image: Path
    mask: Path
    line: int


class PairsFolder(AnnotatedFolder):
    """The pictures of one list. A stem is the picture's path, as seen from the folder.

    Attributes:
        named_classes: The names in classes.txt; `classes` lacks the last where it is ignored.
        pairs: The files of each stem.
    """

    name = "pairs"
    layout = _LAYOUT

    def __init__(
        self, root: str | Path, split: str, ignore_index: int = 255, upright: bool = False
    ) -> None:
        """Read the lists; images are opened later.

        Args:
            root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
            split: Name of the list without `.txt`.
            ignore_index: Mask value of pixels without a label.
            upright: See `AnnotatedFolder`.

        Raises:
            DataError: If the folder or one of its lists is missing, empty or malformed.
            LabelError: If class names repeat.
        """
        self.root = resolve_data_path(root)
        self.list_path = self.root / f"{split}.txt"
        self.ignore_index, self.upright = ignore_index, upright
        if not self.root.is_dir():
            raise DataError(f"there is no data folder {self.root}.\nExpected: {_LAYOUT}")
        self.named_classes = tuple(_read_classes(self.root / "classes.txt"))
        self.classes = self.named_classes
        if ignore_index == len(self.classes) - 1 > 0:
            # CamVid's lists end with "unlabelled": a name for what no pixel shall be called.
            self.classes = self.named_classes[:-1]
        elif 0 <= ignore_index < len(self.classes):
            raise DataError(
                f"ignore_index {ignore_index} is {self.classes[ignore_index]!r}, one of the "
                f"{len(self.classes)} classes of {self.root}; give the value of unlabelled pixels, "
                "which lies above those of the classes (mostly 255)"
            )
        self.pairs: dict[str, Pair] = {}
        for pair in _read_split(self.root, self.list_path):
            path = pair.image
            stem = str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)
            self.pairs[stem if stem not in self.pairs else f"{stem}, line {pair.line}"] = pair

    @property
    def stems(self) -> list[str]:
        """The list, in its order."""
        return list(self.pairs)

    def image_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.pairs[stem].image

    def mask_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.pairs[stem].mask

    def listed(self, stem: str) -> str:
        """The list and its line."""
        return f"named in line {self.pairs[stem].line} of {self.list_path}"

    def decode_mask(self, stem: str) -> np.ndarray:
        """Values as in the file but for the ignore index."""
        path = self.mask_path(stem)
        values = load_mask(path)
        ignored = values == self.ignore_index
        wrong = (values >= len(self.classes)) & ~ignored
        if wrong.any():
            unknown = np.unique(values[wrong]).tolist()
            raise DataError(
                f"{path} has the values {', '.join(map(str, unknown))}; accepted are 0 to "
                f"{len(self.classes) - 1} (the {len(self.classes)} classes) and "
                f"{self.ignore_index} (ignore_index)"
            )
        return np.where(ignored, IGNORE, values.astype(np.int16))


class PairsDataset(FolderDataset):
    """The images of a list, turned upright, with their masks; see `FolderDataset`."""

    folder: PairsFolder

    def __init__(
        self,
        root: str | Path,
        split: str,
        ignore_index: int = 255,
        prompts: str | Path | None = None,
        transform: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        """Read the lists; images are opened later.

        Args:
            root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
            split: Name of the list without `.txt`.
            ignore_index: Mask value to leave out.
            prompts: JSON file {class name: prompt}, looked up as `root` is.
            transform: See `FolderDataset`.
            seed: See `FolderDataset`.

        Raises:
            DataError: If the folder or one of its lists is missing, empty or malformed.
            LabelError: If class names repeat, or the prompts do not fit the classes.
        """
        folder = PairsFolder(root, split, ignore_index, upright=True)
        labels: list[str] | None = None
        if prompts is not None:
            labels = load_prompts(resolve_data_path(prompts), folder.named_classes)
            labels = labels[: len(folder.classes)]
        super().__init__(folder, labels, ignore_index, transform, seed)


@dataclass(eq=False, repr=False)
class PairsDataModule(SegmentationDataModule):
    """Train and validate on a folder of image and mask pairs.

    Attributes:
        root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
        train_split: List to train on.
        val_split: List to validate on; its images keep their own size.
        test_split: List to test on; None takes the validation list.
        prompts: JSON file {class name: prompt}, looked up as `root` is.
        ignore_index: Mask value to leave out.
        augment: How training pictures are varied.
    """

    root: str | Path
    train_split: str = "train"
    val_split: str = "val"
    test_split: str | None = None
    prompts: str | Path | None = None
    ignore_index: int = 255
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def make_train_set(self) -> PairsDataset:
        """Build the training set, with augmentations."""
        transform = JointTransform(self.augment, self.ignore_index)
        return self._split(self.train_split, transform)

    def make_val_sets(self) -> dict[str, SegmentationData]:
        """Build the one validation set, "val"."""
        return {"val": self._split(self.val_split)}

    def make_test_sets(self) -> Mapping[str, SegmentationData]:
        """Build the one test set, "test"; without a test split it is "val"."""
        if self.test_split is None:
            return super().make_test_sets()
        return {"test": self._split(self.test_split)}

    def pixel_counts(self) -> Tensor:
        """Pixels of each class in the masks of the training list, (N) int64."""
        return self._split(self.train_split).pixel_counts()

    def _split(self, name: str, transform: JointTransform | None = None) -> PairsDataset:
        return PairsDataset(self.root, name, self.ignore_index, self.prompts, transform, self.seed)


def find_problems(dataset: PairsDataset) -> list[str]:
    """Return what is wrong with the files of a data set, a message each; reads all of them.

    Besides what makes an item fail: masks in which every pixel is ignored, and images that are
    listed twice.
    """
    problems = []
    seen: dict[Path, int] = {}
    for stem in dataset.stems:
        pair = dataset.folder.pairs[stem]
        first = seen.setdefault(pair.image, pair.line)
        if first != pair.line:
            problems.append(f"{pair.image} is listed twice, on lines {first} and {pair.line}")
        problems += [problem.text for problem in picture_problems(dataset.folder, stem)]
    return problems


def _read_list(path: Path) -> str:
    """Return the text of one of the lists; the message of a missing one names those there are."""
    there = ", ".join(sorted(p.name for p in path.parent.glob("*.txt"))) or "none"
    hint = f"; text files in that folder: {there}.\nExpected: {_LAYOUT}"
    return read_text(path, DataError, hint)


def _read_classes(path: Path) -> list[str]:
    """Return the class names; a line that is no name would shift the numbers of all that follow."""
    lines = _read_list(path).rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.strip().startswith("#"):
            raise DataError(
                f"line {number} of {path} names no class. Line i (from 0) names mask value i, so "
                "comments and empty lines have no place there"
            )
    if not lines:
        raise DataError(f"{path} names no class.\nExpected: {_LAYOUT}")
    return parse_labels(lines)


def _read_split(root: Path, path: Path) -> list[Pair]:
    """Return the pairs of a split's list; empty lines are skipped."""
    pairs = []
    for number, line in enumerate(_read_list(path).splitlines(), start=1):
        if line.strip():
            image, mask = _split_line(root, line.strip(), f"line {number} of {path}")
            pairs.append(Pair(root / image, root / mask, number))
    if not pairs:
        raise DataError(f"{path} lists no image.\nExpected: {_LAYOUT}")
    return pairs


def _split_line(root: Path, line: str, where: str) -> tuple[str, str]:
    """Return the image and the mask that a line names: two words, or two names around a tab.

    Where names hold spaces and there is no tab, the files that exist decide.
    """
    if line.count("\t") == 1:
        image, mask = line.split("\t")
        return image.strip(), mask.strip()
    words = line.split()
    if len(words) == 2:
        return words[0], words[1]
    for gap in re.finditer(r"\s+", line):
        image, mask = line[: gap.start()], line[gap.end() :]
        if is_file(root / image) and is_file(root / mask):
            return image, mask
    raise DataError(
        f"{where} is {line!r}, which names no image and mask that exist. Separate the two with a "
        f"tab if names hold spaces.\nExpected: {_LAYOUT}"
    )
