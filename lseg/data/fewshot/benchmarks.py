"""The few-shot benchmarks: their folds, and which pictures train and test a fold."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from lseg.data.base.folder import AnnotatedFolder
from lseg.data.base.orientation import Orientation
from lseg.data.base.turned_pictures import warn_of_ambiguity
from lseg.data.fewshot.folds import Folds, Part
from lseg.data.fewshot.lists import (
    BenchmarkFolders,
    coco_folder,
    derived_lines,
    fss_folder,
    voc_folder,
)
from lseg.data.fewshot.sources import ListedSource, MaskSource
from lseg.data.fewshot.splits import Line, read_coco, read_pascal
from lseg.data.sets.pairs import PairsFolder
from lseg.errors import DataError

# Numbers of classes: 520 for training, then 240 for validation, then those of the test list.
_FSS_OFFSETS = {Part.TRAIN: 0, Part.TEST: 760}


class Benchmark(Protocol):
    """Where the pictures of a benchmark come from."""

    @property
    def folds(self) -> Folds:
        """Which classes each fold holds out."""
        ...

    def open(self, fold: int, part: Part) -> MaskSource:
        """Return the pictures that are trained on, or tested on, when `fold` is held out.

        Raises:
            ConfigError: If there is no such fold.
            DataError: If files are missing or malformed.
        """
        ...


class PascalBenchmark:
    """PASCAL-5i: 20 classes of VOC 2012 with SBD masks, fold k holds out 5k to 5k + 4."""

    folds = Folds.blocks(20)

    def __init__(
        self, root: str, splits: str | None = None, orientation: Orientation | None = None
    ) -> None:
        """Name the files.

        Args:
            root: Folder around VOC2012; a relative path is looked up under LSEG_DATA.
            splits: Folder of HSNet's lists, looked up as `root` is; derived from masks if None.
            orientation: What masks lie over, if not `auto`; see `AnnotatedFolder`.

        Raises:
            DataError: If a folder is missing.
        """
        self.folders = BenchmarkFolders.find(root, splits, orientation)

    def open(self, fold: int, part: Part) -> MaskSource:
        """See `Benchmark`. Training lists are those of the other folds, one after the other."""
        classes = self.folds.named(fold, part)
        folder = voc_folder(self.folders, part)
        if self.folders.splits is None:
            return ListedSource(folder, _derived(folder, classes))
        chosen = [fold] if part is Part.TEST else [k for k in range(len(self.folds)) if k != fold]
        lines = []
        for number in chosen:
            path = self.folders.splits / "pascal" / part.value / f"fold{number}.txt"
            lines += _within(read_pascal(path), self.folds.held_out(number), folder, path)
        return ListedSource(folder, lines)


class CocoBenchmark:
    """COCO-20i: the 80 classes of COCO 2014, fold k holds out k, k + 4, k + 8, ..."""

    folds = Folds.interleaved(80)

    def __init__(
        self, root: str, splits: str | None = None, orientation: Orientation | None = None
    ) -> None:
        """Name the files; see `PascalBenchmark`. `root` is the folder around COCO2014."""
        self.folders = BenchmarkFolders.find(root, splits, orientation)

    def open(self, fold: int, part: Part) -> MaskSource:
        """See `Benchmark`."""
        classes = self.folds.named(fold, part)
        folder = coco_folder(self.folders, part)
        if self.folders.splits is None:
            return ListedSource(folder, _derived(folder, classes))
        path = self.folders.splits / "coco" / part.value / f"fold{fold}.pkl"
        return ListedSource(folder, _within(read_coco(path), classes, folder, path))


class FssBenchmark:
    """FSS-1000: one fold of 240 test classes; training has 520 classes of its own."""

    def __init__(
        self, root: str, splits: str | None = None, orientation: Orientation | None = None
    ) -> None:
        """Name the files; see `PascalBenchmark`. `root` is the folder around FSS-1000."""
        self.folders = BenchmarkFolders.find(root, splits, orientation)

    @cached_property
    def folds(self) -> Folds:
        """One fold of all classes of the test list."""
        return Folds.single(len(fss_folder(self.folders, Part.TEST).classes))

    def open(self, fold: int, part: Part) -> MaskSource:
        """See `Benchmark`."""
        self.folds.held_out(fold)  # refuses another than 0
        folder = fss_folder(self.folders, part)
        lines = [Line(stem, folder.class_index(stem)) for stem in folder.stems]
        return ListedSource(folder, lines, _FSS_OFFSETS[part])


class PairsBenchmark:
    """A `pairs` folder: fold k holds out classes k, k + 4, k + 8, ...

    A class is asked for where it covers at least a thousandth of a picture.
    """

    def __init__(
        self,
        root: str,
        train: str = "train",
        test: str = "val",
        ignore_index: int | None = None,
        orientation: Orientation | None = None,
    ) -> None:
        """Name the lists; see `PairsFolder`."""
        self.root, self.lists = root, {Part.TRAIN: train, Part.TEST: test}
        self.ignore_index, self.orientation = ignore_index, orientation

    @cached_property
    def folds(self) -> Folds:
        """Four folds over all classes; fewer where there are fewer classes."""
        classes = len(self._folder(Part.TEST).classes)
        return Folds.interleaved(classes, min(4, classes))

    def open(self, fold: int, part: Part) -> MaskSource:
        """See `Benchmark`."""
        classes = self.folds.named(fold, part)
        folder = self._folder(part)
        warn_of_ambiguity(folder)
        return ListedSource(folder, _derived(folder, classes))

    def _folder(self, part: Part) -> PairsFolder:
        return PairsFolder(self.root, self.lists[part], self.ignore_index, self.orientation)


def _derived(folder: AnnotatedFolder, classes: tuple[int, ...]) -> list[Line]:
    return derived_lines(folder, classes, _reading)


def _reading(stems: list[str]) -> Any:
    return tqdm(stems, "reading masks", leave=False, disable=None)


def _within(
    lines: list[Line], classes: tuple[int, ...], folder: AnnotatedFolder, path: Path
) -> list[Line]:
    """The lines, if none is of a class that the list must not name."""
    for line in lines:
        if line.class_index not in classes:
            raise DataError(
                f"{path} lists {line.stem} for class {line.class_index} "
                f"({folder.classes[line.class_index]}), which is not of this fold and part"
            )
    return lines
