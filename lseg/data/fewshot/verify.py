"""What is missing or corrupt in a benchmark's folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lseg.data.base.images import load_image
from lseg.data.base.sources import Folds, Part
from lseg.data.fewshot.benchmarks import CocoBenchmark, PascalBenchmark
from lseg.data.fewshot.splits import Line, read_coco, read_pascal
from lseg.data.fewshot.trees import Place, Tree
from lseg.data.sets.coco import CocoTree
from lseg.data.sets.fss import FssTree
from lseg.data.sets.voc import VocTree
from lseg.errors import DataError, LSegError

FSS_PICTURES = 10


class Problem(NamedTuple):
    """Something wrong: which kind, and the details."""

    kind: str
    text: str


@dataclass(frozen=True)
class Listing:
    """The pictures of a part, and the classes that lists ask for in each.

    Attributes:
        tree: The folder.
        asked: Class indices by stem; none where there are no lists.
        notes: Lists that are not there.
    """

    tree: Tree
    asked: dict[str, set[int]]
    notes: list[str] = field(default_factory=list)


def find_problems(listing: Listing) -> Iterator[list[Problem]]:
    """What is wrong with each picture of a listing and its mask, in turn; reads all of them."""
    for stem, asked in listing.asked.items():
        yield list(_of_picture(listing.tree, stem, asked))


def count_problems(problems: Iterable[Problem]) -> dict[str, int]:
    """How many there are of each kind, the most frequent first."""
    return dict(Counter(problem.kind for problem in problems).most_common())


def _of_picture(tree: Tree, stem: str, asked: set[int]) -> Iterator[Problem]:
    image = _attempt("image", tree.image_path(stem), _image_size)
    mask = _attempt("mask", tree.mask_path(stem), lambda path: _mask_size(tree, stem, asked))
    yield from (result for result in (image, mask) if isinstance(result, Problem))
    if not isinstance(image, Problem) and not isinstance(mask, Problem) and image != mask:
        yield Problem("sizes differ", f"{stem}: image {image}, mask {mask} pixels")


def _attempt(what: str, path: Path, size: Callable[[Path], str]) -> str | Problem:
    """The size of an image or a mask, or what is wrong with it."""
    if not path.is_file():
        return Problem(f"missing {what}", str(path))
    try:
        return size(path)
    except _AbsentClassError as error:
        return Problem("class not in the mask", str(error))
    except LSegError as error:
        return Problem(f"corrupt {what}", str(error).splitlines()[0])


class _AbsentClassError(Exception):
    """A list asks for what the mask does not show."""


def _image_size(path: Path) -> str:
    image = load_image(path, upright=False)
    return f"{image.width}x{image.height}"


def _mask_size(tree: Tree, stem: str, asked: set[int]) -> str:
    mask = tree.mask(stem)
    absent = asked - set(np.unique(mask).tolist())
    if absent:
        names = ", ".join(tree.classes[index] for index in sorted(absent))
        raise _AbsentClassError(f"{tree.mask_path(stem)} has no {names}, which the list asks for")
    return f"{mask.shape[1]}x{mask.shape[0]}"


def pascal_listing(place: Place, part: Part) -> Listing:
    """All folds of PASCAL-5i."""
    tree = VocTree(place.root)
    return _listed(tree, place, part, ("pascal", ".txt"), read_pascal, PascalBenchmark.folds)


def coco_listing(place: Place, part: Part) -> Listing:
    """All folds of COCO-20i."""
    tree = CocoTree(place.root)
    return _listed(tree, place, part, ("coco", ".pkl"), read_coco, CocoBenchmark.folds)


def fss_listing(place: Place, part: Part) -> Listing:
    """The classes of one list of FSS-1000, or of its share of the folders; ten pictures each."""
    tree = FssTree(place.root, part, place.splits)
    asked: dict[str, set[int]] = {}
    notes = []
    for index, name in enumerate(tree.classes):
        folder = tree.root / name
        numbers = {path.stem for suffix in ("jpg", "png") for path in folder.glob(f"*.{suffix}")}
        if len(numbers) != FSS_PICTURES:
            notes.append(f"{folder} has {len(numbers)} pictures instead of {FSS_PICTURES}")
        asked |= {f"{name}/{number}": {index} for number in sorted(numbers)}
    return Listing(tree, asked, notes)


LISTINGS: dict[str, Callable[[Place, Part], Listing]] = {
    "pascal5i": pascal_listing,
    "coco20i": coco_listing,
    "fss1000": fss_listing,
}


def _listed(
    tree: VocTree | CocoTree,
    place: Place,
    part: Part,
    lists: tuple[str, str],
    read: Callable[[Path], list[Line]],
    folds: Folds,
) -> Listing:
    """By the lists of all folds, whose folder and suffix are `lists`; without any, all pictures."""
    if place.splits is None:
        return Listing(tree, {stem: set() for stem in tree.stems(part)})
    name, suffix = lists
    folder = place.splits / name / part.value
    asked: dict[str, set[int]] = {}
    notes = []
    paths = [folder / f"fold{fold}{suffix}" for fold in range(len(folds))]
    for path in paths:
        if not path.is_file():
            notes.append(f"there is no list {path}")
            continue
        for stem, index in read(path):
            asked.setdefault(stem, set()).add(index)
    if not asked:
        raise DataError(
            f"there is no list in {folder}: expected {', '.join(p.name for p in paths)}"
        )
    return Listing(tree, asked, notes)
