"""The engine for pictures on more than one machine: actors of Ray Data.

They are sent names and hashes alone: what a picture becomes, the actor itself writes.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from tqdm import tqdm

from lseg.errors import ImageError
from lseg.pipeline.entry import Entry
from lseg.pipeline.ray_actors import Actors
from lseg.pipeline.rows import Row
from lseg.pipeline.run import Outcome, PictureRun
from lseg.pipeline.step import Job
from lseg.pipeline.worker import Done, Place, Worker


class Task(NamedTuple):
    """A picture, and what the index says of it."""

    row: Row
    known: Entry | None


@dataclass(frozen=True)
class PictureWork:
    """What an actor does; picklable.

    Attributes:
        job: What is made of a picture.
        place: Where results go.
        versions: For the index.
    """

    job: Job
    place: Place
    versions: dict[str, str]

    def __call__(self) -> Callable[[list[Task]], Iterator[Done]]:
        """Loads the network; returns what does pictures, of which a broken one is a row too."""
        return Worker(self.place, self.job.step(), self.versions).entries


@dataclass(frozen=True)
class RayEngine:
    """Pictures go to whichever actor is free.

    Attributes:
        actors: Who does them.
    """

    actors: Actors

    def run(self, run: PictureRun) -> Outcome:
        """See `Engine`."""
        index = run.place.index
        run.clear_unfinished(run.rows)
        index.fold()
        known = index.known(row.name for row in run.rows)
        tasks = [Task(row, known.get(row.name)) for row in run.rows]
        work = PictureWork(run.job, run.place, run.versions)
        try:
            with closing(self.actors.results(work, tasks)) as results:
                outcome = self._gather(run, results)
        finally:
            index.fold()
        run.clear_unfinished(run.rows)  # of actors that were killed
        return outcome

    def _gather(self, run: PictureRun, results: Iterator[Done]) -> Outcome:
        failed = kept = 0
        with tqdm(total=len(run.rows), unit="image", disable=len(run.rows) < 2) as progress:
            for entry, was_there in results:
                kept += was_there
                if entry.error is None:
                    run.done(entry)
                else:
                    failed += 1
                    run.patience.bear(ImageError(entry.error), failed, len(run.rows))
                progress.update()
        return Outcome(failed, kept)
