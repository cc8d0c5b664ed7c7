"""The loader of training batches, which can begin in the middle of an epoch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from time import monotonic

from torch import Tensor
from torch.utils.data import DataLoader

from lseg.data.base.sampler import EpochSampler


class TrainLoader:
    """The batches of an epoch, from the one on where training stands.

    Where that is, and which epoch it is, is looked up when the first batch is taken, not when an
    iterator is made: Lightning makes one before it has read the checkpoint that it resumes from,
    and worker processes would at once prepare batches of epoch 0.
    """

    def __init__(
        self,
        batches: DataLoader[dict[str, Tensor]],
        sampler: EpochSampler,
        batches_done: Callable[[], int],
    ) -> None:
        """Set up the loader.

        Args:
            batches: Loads whole epochs.
            sampler: Their order; `skip` is set here.
            batches_done: Gives the number of batches of the epoch that training has had.
        """
        self.batches = batches
        self.sampler = sampler  # Lightning looks for it here, and tells it the epoch
        self.batches_done = batches_done
        self._waited = 0.0

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self.batches)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield what is left of the epoch; a generator, so that it begins when it is read."""
        self.sampler.skip = self.batches_done() * (self.batches.batch_size or 1)
        batches = iter(self.batches)
        while True:
            before = monotonic()
            batch = next(batches, None)
            self._waited += monotonic() - before
            if batch is None:
                return
            yield batch

    def epochs(self) -> Iterator[dict[str, Tensor]]:
        """Yield the batches of all epochs, without end."""
        for epoch in itertools.count():
            self.sampler.set_epoch(epoch)
            yield from self

    def take_waited(self) -> float:
        """Seconds that batches were waited for since this was last asked."""
        waited, self._waited = self._waited, 0.0
        return waited
