"""Counts of numbered items, which figures are sums of: the same on every engine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy import typing as npt
from tqdm import tqdm

from lseg.inference.sharding import ONE_PROCESS, Shard, gathered

Counts: TypeAlias = npt.NDArray[np.int64]
"""What is counted of an item."""


class Part(NamedTuple):
    """Items whose counts go together, such as the pictures of a data set.

    Attributes:
        items: How many there are; they are called by number, from 0.
        name: What the progress bar calls the part.
        unit: What it calls an item.
    """

    items: int
    name: str = ""
    unit: str = "image"


class Counter(Protocol):
    """Counts, in one process; it has a network."""

    def __call__(self, part: int, items: Sequence[int]) -> Iterator[Counts]:
        """Counts of some items of a part, in their order.

        They depend on the item alone, not on which others are asked for with it.
        """
        ...


class CountJob(Protocol):
    """A counter before it has a network: picklable, to be sent to where it is needed."""

    def counter(self) -> Counter:
        """Loads the network."""
        ...


class CountEngine(Protocol):
    """Has items counted, each once."""

    def counts(self, parts: Sequence[Part]) -> Iterator[list[Counts]]:
        """The counts of every item, part by part, as soon as a part is done.

        Raises:
            LSegError: What a counter raised.
        """
        ...


@dataclass(frozen=True)
class LocalCounting:
    """The plain engine: this process, or a share of the items in each process of torchrun.

    All processes of the group are given the counts of all items.

    Attributes:
        counter: With the network of this process.
        shard: This process's share; it is in the group of the others, where there are any.
    """

    counter: Counter
    shard: Shard = ONE_PROCESS

    def counts(self, parts: Sequence[Part]) -> Iterator[list[Counts]]:
        """See `CountEngine`."""
        for number, part in enumerate(parts):
            share = self.shard.take(range(part.items))
            hidden = len(share) < 2 or not self.shard.first
            counted = self.counter(number, share)
            shown = tqdm(counted, part.name, len(share), disable=hidden, unit=part.unit)
            own = list(shown)
            found = [np.empty(0, np.int64)] * part.items
            for rank, counts in enumerate(gathered(own)):
                found[rank :: self.shard.world] = counts
            yield found
