"""What `lseg data check` prints of problems."""

from collections.abc import Iterable, Sequence

from lseg.data.base.check import Problem, count_problems
from lseg.data.base.folder import AnnotatedFolder
from lseg.data.base.turned_pictures import ambiguity, ambiguous_pictures
from lseg.errors import DataError

SHOWN = 50


def print_part(name: str, pictures: int, found: Sequence[Problem], notes: Iterable[str]) -> None:
    """Prints how many problems of each kind a part has, and what else is to be said of it."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in count_problems(found).items())
    print(f"{name}: {pictures} pictures, {len(found)} problem(s)", end="")
    print(f": {kinds}" if kinds else "")
    for note in notes:
        print(f"  note: {note}")


def note_orientation(folder: AnnotatedFolder, stems: Iterable[str]) -> None:
    """Prints how many pictures a mask could lie over in two ways, and what is made of them."""
    found = list(ambiguous_pictures(folder, stems))
    if found:
        print(f"  note: {ambiguity(folder, found[0], len(found))}")


def refuse_problems(problems: Sequence[Problem], root: str | None, layout: str) -> None:
    """Prints the first problems.

    Raises:
        DataError: If there is one; it shows the layout.
    """
    for problem in problems[:SHOWN]:
        print(f"  {problem.kind}: {problem.text}")
    if len(problems) > SHOWN:
        print(f"  and {len(problems) - SHOWN} more")
    if problems:
        raise DataError(f"{len(problems)} problem(s) in {root}. Expected: {layout}")
