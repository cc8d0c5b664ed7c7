"""The few-shot benchmarks: their folds, and which pictures train and test a fold."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from lseg.data.base.sources import Folds, MaskSource, Part
from lseg.data.fewshot.splits import Line, read_coco, read_pascal
from lseg.data.fewshot.trees import ListedSource, Place, Tree, derived_lines
from lseg.data.sets.coco import CocoTree
from lseg.data.sets.fss import FssTree
from lseg.data.sets.pairs import PairsDataset
from lseg.data.sets.pairs_tree import PairsTree
from lseg.data.sets.voc import VocTree
from lseg.errors import DataError


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

    def __init__(self, root: str, splits: str | None = None) -> None:
        """Name the files.

        Args:
            root: Folder around VOC2012; a relative path is looked up under LSEG_DATA.
            splits: Folder of HSNet's lists, looked up as `root` is; derived from masks if None.

        Raises:
            DataError: If a folder is missing.
        """
        self.place = Place.named(root, splits)

    def open(self, fold: int, part: Part) -> MaskSource:
        """See `Benchmark`. Training lists are those of the other folds, one after the other."""
        tree = VocTree(self.place.root)
        held = self.folds.held_out(fold)
        if self.place.splits is None:
            asked = held if part is Part.TEST else self.folds.seen(fold)
            return ListedSource(tree, _derived(tree, part, asked))
        chosen = [fold] if part is Part.TEST else [k for k in range(len(self.folds)) if k != fold]
        lines = []
        for number in chosen:
            path = self.place.splits / "pascal" / part.value / f"fold{number}.txt"
            lines += _within(read_pascal(path), self.folds.held_out(number), tree, path)
        return ListedSource(tree, lines)


class CocoBenchmark:
    """COCO-20i: the 80 classes of COCO 2014, fold k holds out k, k + 4, k + 8, ..."""

    folds = Folds.interleaved(80)

    def __init__(self, root: str, splits: str | None = None) -> None:
        """Name the files; see `PascalBenchmark`. `root` is the folder around COCO2014."""
        self.place = Place.named(root, splits)

    def open(self, fold: int, part: Part) -> MaskSource:
        """See `Benchmark`."""
        tree = CocoTree(self.place.root)
        asked = self.folds.held_out(fold) if part is Part.TEST else self.folds.seen(fold)
        if self.place.splits is None:
            return ListedSource(tree, _derived(tree, part, asked))
        path = self.place.splits / "coco" / part.value / f"fold{fold}.pkl"
        return ListedSource(tree, _within(read_coco(path), asked, tree, path))


class FssBenchmark:
    """FSS-1000: one fold of 240 test classes; training has 520 classes of its own."""

    def __init__(self, root: str, splits: str | None = None) -> None:
        """Name the files; see `PascalBenchmark`. `root` is the folder around FSS-1000."""
        self.place = Place.named(root, splits)

    @cached_property
    def folds(self) -> Folds:
        """One fold of all classes of the test list."""
        return Folds.single(len(FssTree(self.place.root, Part.TEST, self.place.splits).classes))

    def open(self, fold: int, part: Part) -> MaskSource:
        """See `Benchmark`."""
        self.folds.held_out(fold)  # refuses another than 0
        tree = FssTree(self.place.root, part, self.place.splits)
        return ListedSource(tree, tree.lines())


class PairsBenchmark:
    """A `pairs` folder: fold k holds out classes k, k + 4, k + 8, ...

    A class is asked for where it covers at least a thousandth of a picture.
    """

    def __init__(
        self, root: str, train: str = "train", test: str = "val", ignore_index: int = 255
    ) -> None:
        """Name the lists; see `PairsDataset`."""
        self.root, self.lists = root, {Part.TRAIN: train, Part.TEST: test}
        self.ignore_index = ignore_index

    @cached_property
    def folds(self) -> Folds:
        """Four folds over all classes; fewer where there are fewer classes."""
        classes = len(self._tree(Part.TEST).classes)
        return Folds.interleaved(classes, min(4, classes))

    def open(self, fold: int, part: Part) -> MaskSource:
        """See `Benchmark`."""
        asked = self.folds.held_out(fold) if part is Part.TEST else self.folds.seen(fold)
        tree = self._tree(part)
        return ListedSource(tree, _derived(tree, part, asked))

    def _tree(self, part: Part) -> PairsTree:
        return PairsTree(PairsDataset(self.root, self.lists[part], self.ignore_index))


def _derived(tree: Tree, part: Part, asked: tuple[int, ...]) -> list[Line]:
    return derived_lines(tree, part, asked, _reading)


def _reading(stems: list[str]) -> Any:
    return tqdm(stems, "reading masks", leave=False, disable=None)


def _within(lines: list[Line], asked: tuple[int, ...], tree: Tree, path: Path) -> list[Line]:
    """The lines, if none is of a class that the list must not name."""
    for line in lines:
        if line.class_index not in asked:
            raise DataError(
                f"{path} lists {line.stem} for class {line.class_index + tree.offset} "
                f"({tree.classes[line.class_index]}), which is not of this fold and part"
            )
    return lines
