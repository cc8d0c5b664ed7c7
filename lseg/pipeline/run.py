"""A run over pictures as every engine takes it."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from lseg.files import clear_partial_files
from lseg.pipeline.entry import Entry
from lseg.pipeline.loop import Patience
from lseg.pipeline.rows import Row
from lseg.pipeline.step import Job
from lseg.pipeline.worker import Place


@dataclass(frozen=True)
class PictureRun:
    """What is to be done.

    Attributes:
        rows: The pictures, of all processes.
        place: Where results go.
        job: What is made of a picture, to be sent to other processes.
        endings: What follows a picture's name in the names of its files.
        patience: With broken pictures.
        versions: For the index.
        done: Called for every picture that is not broken, here.
    """

    rows: Sequence[Row]
    place: Place
    job: Job
    endings: Sequence[str]
    patience: Patience
    versions: dict[str, str]
    done: Callable[[Entry], None]

    def clear_unfinished(self, rows: Sequence[Row]) -> None:
        """Deletes what a killed run left of the files of these rows; stores keep no such."""
        if self.place.address is not None:
            return
        stems: defaultdict[Path, set[str]] = defaultdict(set)
        for row in rows:
            for ending in self.endings:
                path = self.place.folder / f"{row.name}{ending}"
                stems[path.parent].add(path.stem)
        for folder, names in stems.items():
            clear_partial_files(folder, names)


class Outcome(NamedTuple):
    """How a run ended, in all processes of its group.

    Attributes:
        failed: How many pictures were broken.
        kept: How many had been done before.
    """

    failed: int
    kept: int

    @property
    def note(self) -> str:
        """What is to be said of those that had been done before."""
        return f" ({self.kept} of them were there already)" if self.kept else ""


class Engine(Protocol):
    """Does a run."""

    def run(self, run: PictureRun) -> Outcome:
        """Does it; what is wrong with one picture is told, and is a row of the index.

        Raises:
            LSegError: If something is wrong that ends the run; see also `Patience.bear`.
        """
        ...
