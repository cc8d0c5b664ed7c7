"""The engine for counts on more than one machine: actors of Ray Data."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from tqdm import tqdm

from lseg.pipeline.counting import CountJob, Counts, Part
from lseg.pipeline.ray_actors import Actors


class Item(NamedTuple):
    """An item by its part and its number there."""

    part: int
    number: int


class Counted(NamedTuple):
    """An item, and what was counted of it."""

    item: Item
    counts: Counts


@dataclass(frozen=True)
class JobCounting:
    """What an actor does; picklable."""

    job: CountJob

    def __call__(self) -> Callable[[list[Item]], Iterator[Counted]]:
        """Loads the network; returns what counts some items."""
        counter = self.job.counter()

        def count(items: list[Item]) -> Iterator[Counted]:
            for part, group in groupby(items, attrgetter("part")):
                own = list(group)
                counted = counter(part, [item.number for item in own])
                yield from map(Counted, own, counted)

        return count


@dataclass(frozen=True)
class RayCounting:
    """Items go to whichever actor is free.

    An actor that is killed is started anew, and counts its items again.

    Attributes:
        actors: Who counts.
        job: What is counted.
    """

    actors: Actors
    job: CountJob

    def counts(self, parts: Sequence[Part]) -> Iterator[list[Counts]]:
        """See `CountEngine`."""
        items = [
            Item(place, number) for place, part in enumerate(parts) for number in range(part.items)
        ]
        found: list[dict[int, Counts]] = [{} for _ in parts]
        with closing(self.actors.results(JobCounting(self.job), items)) as results:
            for place, part in enumerate(parts):
                own = found[place]  # some have come while the part before was waited for
                progress = tqdm(
                    None, part.name, part.items, initial=len(own), unit=part.unit,
                    disable=part.items < 2,
                )  # fmt: skip
                with progress:
                    while len(own) < part.items:
                        item, counts = next(results)
                        found[item.part][item.number] = counts
                        progress.update(item.part == place)
                yield [own.pop(number) for number in range(part.items)]
