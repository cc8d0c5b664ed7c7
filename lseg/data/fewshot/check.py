"""What is missing or corrupt in a benchmark's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from lseg.data.base.check import Problem, picture_problems
from lseg.data.base.folder import AnnotatedFolder
from lseg.data.fewshot.benchmarks import CocoBenchmark, PascalBenchmark
from lseg.data.fewshot.folds import Folds, Part
from lseg.data.fewshot.lists import BenchmarkFolders, coco_folder, fss_folder, voc_folder
from lseg.data.fewshot.splits import Line, read_coco, read_pascal
from lseg.errors import DataError

FSS_PICTURES = 10


@dataclass(frozen=True)
class ListedPictures:
    """The pictures of a part, and the classes that lists name for each.

    Attributes:
        folder: Where they lie.
        classes: Class indices by stem; none where there are no lists.
        notes: Lists that are not there.
    """

    folder: AnnotatedFolder
    classes: dict[str, set[int]]
    notes: list[str] = field(default_factory=list)


def find_problems(pictures: ListedPictures) -> Iterator[list[Problem]]:
    """What is wrong with each picture and its mask, in turn; reads all of them."""
    for stem, classes in pictures.classes.items():
        yield list(picture_problems(pictures.folder, stem, classes))


def pascal_pictures(folders: BenchmarkFolders, part: Part) -> ListedPictures:
    """All folds of PASCAL-5i."""
    folder = voc_folder(folders, part)
    return _listed(folder, folders, part, ("pascal", ".txt"), read_pascal, PascalBenchmark.folds)


def coco_pictures(folders: BenchmarkFolders, part: Part) -> ListedPictures:
    """All folds of COCO-20i."""
    folder = coco_folder(folders, part)
    listed = _listed(folder, folders, part, ("coco", ".pkl"), read_coco, CocoBenchmark.folds)
    return replace(listed, notes=[*listed.notes, *folder.notes])


def fss_pictures(folders: BenchmarkFolders, part: Part) -> ListedPictures:
    """The classes of one list of FSS-1000, or of its share of the folders; ten pictures each."""
    folder = fss_folder(folders, part)
    classes: dict[str, set[int]] = {}
    notes = []
    for index, name in enumerate(folder.classes):
        place = folder.root / name
        numbers = {path.stem for suffix in ("jpg", "png") for path in place.glob(f"*.{suffix}")}
        if len(numbers) != FSS_PICTURES:
            notes.append(f"{place} has {len(numbers)} pictures instead of {FSS_PICTURES}")
        classes |= {f"{name}/{number}": {index} for number in sorted(numbers)}
    return ListedPictures(folder, classes, notes)


LISTED_PICTURES: dict[str, Callable[[BenchmarkFolders, Part], ListedPictures]] = {
    "pascal5i": pascal_pictures,
    "coco20i": coco_pictures,
    "fss1000": fss_pictures,
}
"""By the name of the benchmark."""


def _listed(
    folder: AnnotatedFolder,
    folders: BenchmarkFolders,
    part: Part,
    lists: tuple[str, str],
    read: Callable[[Path], list[Line]],
    folds: Folds,
) -> ListedPictures:
    """By the lists of all folds, whose folder and suffix are `lists`; without any, all pictures."""
    if folders.splits is None:
        return ListedPictures(folder, {stem: set() for stem in folder.stems})
    name, suffix = lists
    place = folders.splits / name / part.value
    classes: dict[str, set[int]] = {}
    notes = []
    paths = [place / f"fold{fold}{suffix}" for fold in range(len(folds))]
    for path in paths:
        if not path.is_file():
            notes.append(f"there is no list {path}")
            continue
        for stem, index in read(path):
            classes.setdefault(stem, set()).add(index)
    if not classes:
        raise DataError(f"there is no list in {place}: expected {', '.join(p.name for p in paths)}")
    return ListedPictures(folder, classes, notes)
