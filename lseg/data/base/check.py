"""What is missing or corrupt in the files of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from lseg.data.base.folder import IGNORE, AnnotatedFolder
from lseg.errors import LSegError

T = TypeVar("T")


class Problem(NamedTuple):
    """Something wrong: which kind, and the details, one line."""

    kind: str
    text: str


def picture_problems(
    folder: AnnotatedFolder, stem: str, expected: Collection[int] = ()
) -> Iterator[Problem]:
    """Yield what is wrong with a picture and its mask, at most one problem of each of the two.

    Args:
        folder: Where they lie.
        stem: Of the picture.
        expected: Classes that the mask must show.
    """
    image = _attempt("image", folder.image_path(stem), lambda: folder.image(stem))
    mask = _attempt("mask", folder.mask_path(stem), lambda: folder.mask(stem))
    yield from (result for result in (image, mask) if isinstance(result, Problem))
    if isinstance(mask, Problem):
        return
    if absent := sorted(set(expected) - set(np.unique(mask).tolist())):
        names = ", ".join(folder.classes[index] for index in absent)
        text = f"{folder.mask_path(stem)} has no {names}, which the list asks for"
        yield Problem("class not in the mask", text)
    elif (mask == IGNORE).all():
        text = f"{folder.mask_path(stem)} has no labelled pixel: all are ignored"
        yield Problem("nothing labelled", text)
    elif not isinstance(image, Problem):
        try:
            folder.fit(stem, image, mask)
        except LSegError as error:
            yield Problem("sizes differ", _first_line(error))


def count_problems(problems: Iterable[Problem]) -> dict[str, int]:
    """How many there are of each kind, the most frequent first."""
    return dict(Counter(problem.kind for problem in problems).most_common())


def _attempt(what: str, path: Path, read: Callable[[], T]) -> T | Problem:
    """What is read, or what is wrong with the file."""
    try:
        return read()
    except LSegError as error:
        kind = "corrupt" if path.is_file() else "missing"
        return Problem(f"{kind} {what}", _first_line(error))


def _first_line(error: LSegError) -> str:
    return str(error).splitlines()[0]
