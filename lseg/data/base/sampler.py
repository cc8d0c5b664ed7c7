"""Orders in which data sets are read: shuffled by epoch for training, exact for evaluation.

Both are `DistributedSampler`s: Lightning leaves those in place under every strategy, and tells
them the epoch. Without `torch.distributed` they are one replica of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
import torch.distributed as dist
from torch.utils.data import DistributedSampler


class EpochSampler(DistributedSampler[tuple[int, int]]):
    """Yield (epoch, index) in an order that depends on (seed, epoch) alone.

    The epoch travels with the index because worker processes live through many epochs and are
    told nothing else: the item's augmentation can then be a function of (seed, epoch, index),
    whatever the number of workers.

    With `repeat` one epoch passes several times over the data set, each pass in its own order
    and under its own number, `epoch · repeat + pass`, so each with other augmentations. If the
    replicas do not share the items evenly, the first ones are read again by the last replicas.
    """

    def __init__(
        self,
        dataset: Sized,
        seed: int = 0,
        repeat: int = 1,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        """Set up the order.

        Args:
            dataset: What is read; its length must not change.
            seed: 0 or more; the same on all replicas.
            repeat: Passes over the data set an epoch.
            num_replicas: Processes that share the work; by default as `torch.distributed` says.
            rank: This process, from 0.
        """
        num_replicas, rank = _replica(num_replicas, rank)
        super().__init__(dataset, num_replicas, rank, shuffle=True, seed=seed)  # type: ignore[arg-type]
        self.length = len(dataset)
        self.repeat = repeat
        self.skip = (
            0  # items at the start of this replica's share that a resumed epoch has behind it
        )
        self.num_samples = -(-self.length * repeat // self.num_replicas)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield this replica's share of the epoch that `set_epoch` named, but for `skip` items."""
        keys = self.keys()
        first = self.rank + self.skip * self.num_replicas
        for position in range(first, self.total_size, self.num_replicas):
            yield keys[position % len(keys)]

    def keys(self) -> list[tuple[int, int]]:
        """All replicas' items of the epoch that `set_epoch` named, in order."""
        rng = np.random.default_rng([self.seed, self.epoch])
        return [
            (self.epoch * self.repeat + number, int(index))
            for number in range(self.repeat)
            for index in rng.permutation(self.length)
        ]


class ExactSampler(DistributedSampler[int]):
    """Yield every index once over all replicas, in order: metrics then count each item once.

    Replicas may differ by one item, as padding would count items twice. Gather results after the
    loop rather than at each step.
    """

    def __init__(
        self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None
    ) -> None:
        """Set up the order; the arguments are those of `EpochSampler`."""
        num_replicas, rank = _replica(num_replicas, rank)
        super().__init__(dataset, num_replicas, rank, shuffle=False)  # type: ignore[arg-type]
        self.indices = range(self.rank, len(dataset), self.num_replicas)
        self.num_samples = len(self.indices)
        self.total_size = len(dataset)

    def __iter__(self) -> Iterator[int]:
        """Yield this replica's indices, rising."""
        return iter(self.indices)


def _replica(num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    """Return (number of replicas, rank), asking `torch.distributed` for what is not given."""
    running = dist.is_available() and dist.is_initialized()
    if num_replicas is None:
        num_replicas = dist.get_world_size() if running else 1
    if rank is None:
        rank = dist.get_rank() if running else 0
    return num_replicas, rank
