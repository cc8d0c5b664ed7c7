"""The order in which several data sets are read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lseg.data.base.sampler import EpochSampler
from lseg.errors import ConfigError


class MixedSampler(EpochSampler):
    """Yield (pass, index) of several sets that lie one behind another, each in its share.

    An epoch draws as many pictures as all sets have, times `repeat`. Of each set it draws the same
    number in every epoch, in a random order among the others'. Each set is read in passes of its
    own, every picture once a pass, and goes on in the next epoch where it stopped: none is drawn
    again before all others have been. The pass takes the epoch's place in the key, so that a
    picture comes with other augmentations each time.

    Everything is a function of (seed, epoch, position), as in `EpochSampler`.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        weights: Sequence[float],
        seed: int = 0,
        repeat: int = 1,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        """Share an epoch out.

        Args:
            lengths: Pictures of each set.
            weights: Of each set, above 0; the shares are in their proportion.
            seed: See `EpochSampler`, as all that follows.
            repeat: An epoch is so many times the pictures of all sets.
            num_replicas: Processes.
            rank: This one.

        Raises:
            ConfigError: If an epoch is too short to hold a picture of each set.
        """
        super().__init__(range(sum(lengths)), seed, repeat, num_replicas, rank)
        self.lengths = tuple(lengths)
        self.quotas = apportion(self.length * repeat, weights)
        if 0 in self.quotas:
            raise ConfigError(
                f"an epoch of {self.length * repeat} pictures has none of a set of weight "
                f"{weights[self.quotas.index(0)]:g}: raise its weight, or data.repeat"
            )

    def keys(self) -> list[tuple[int, int]]:
        """See `EpochSampler`."""
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(np.repeat(np.arange(len(self.quotas)), self.quotas))
        shares = [self._share(number) for number in range(len(self.quotas))]
        return [next(shares[number]) for number in order.tolist()]

    def _share(self, number: int) -> Iterator[tuple[int, int]]:
        """The pictures of a set in this epoch: draws [epoch · quota, (epoch + 1) · quota)."""
        length, quota = self.lengths[number], self.quotas[number]
        first = sum(self.lengths[:number])
        draw, end = self.epoch * quota, (self.epoch + 1) * quota
        while draw < end:
            turn, start = divmod(draw, length)
            # Not the numbers that seed an order of sets; trailing zeros would not tell them apart.
            rng = np.random.default_rng([self.seed, number, turn + 1])
            stop = min(length, start + end - draw)
            for index in rng.permutation(length)[start:stop].tolist():
                yield turn, first + index
            draw += stop - start


def apportion(count: int, weights: Sequence[float]) -> list[int]:
    """Split a count into whole numbers in proportion to weights, by the largest remainders."""
    exact = np.asarray(weights, np.float64) / np.sum(weights) * count
    parts = np.floor(exact).astype(int)
    largest = np.argsort(parts - exact, kind="stable")
    parts[largest[: count - parts.sum()]] += 1
    return parts.tolist()
