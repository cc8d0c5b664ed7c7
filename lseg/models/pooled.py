"""Logit maps of classes that are asked by several vectors, and of pixels that nothing fits."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from lseg.models.maps import CroppedMaps, Maps, ResizedMaps
from lseg.models.similarity import PixelLogits
from lseg.models.strips import budget_of, ranges
from lseg.text.question import Pool, Question


class PooledMaps:
    """Logits of N classes out of those of M vectors, pixel by pixel.

    However many vectors there are, the memory is that of a strip of them and of the N classes.
    """

    def __init__(self, source: Maps, pools: Sequence[Pool]) -> None:
        """`source` has the vectors of the first class first, then those of the second, ..."""
        self.source, self.pools = source, tuple(pools)
        self.batch, self.labels = source.batch, len(self.pools)
        self.size, self.device = source.size, source.device
        ends = list(accumulate((pool.count for pool in self.pools), initial=0))
        assert ends[-1] == source.labels
        self._spans = list(zip(self.pools, pairwise(ends), strict=True))

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        budget = budget_of(self.source)
        parts = self.source.split(budget.labels_of(self.source))
        bytes_each = 4 * self.batch * parts[0].labels * self.size[1]
        strips = ranges(stop - start, budget.bytes, bytes_each)
        found = [self._strip(parts, start + first, start + last) for first, last in strips]
        return found[0] if len(found) == 1 else torch.cat(found, dim=2)

    def split(self, count: int) -> "Sequence[PooledMaps]":
        """See `Maps`."""
        del count
        return [self]

    def pictures(self, first: int, last: int) -> "PooledMaps":
        """See `Maps`."""
        return PooledMaps(self.source.pictures(first, last), self.pools)

    def _strip(self, parts: Sequence[Maps], start: int, stop: int) -> Tensor:
        classes: list[Tensor | None] = [None] * self.labels
        first = 0
        for part in parts:
            logits = part.rows(start, stop)
            last = first + part.labels
            for index, (pool, (begin, end)) in enumerate(self._spans):
                low, high = max(begin, first), min(end, last)
                if low < high:
                    found = pool.of(logits[:, low - first : high - first])
                    before = classes[index]
                    classes[index] = found if before is None else pool.join(before, found)
            first = last
        pooled = zip(self.pools, classes, strict=True)
        return torch.stack([one - pool.margin for pool, one in pooled if one is not None], dim=1)


class UnsureMaps:
    """Maps with a class that wins where no other is probable: one more, or one that is there.

    It wins where the largest softmax probability p of the others is below a threshold t, that is
    where p / (1 - p) < t / (1 - t): its logit is log(t / (1 - t)) above the logsumexp of all
    others but the best. So its own probability falls to 0 as p rises to 1. Of a class that has a
    logit already, the larger of both counts.
    """

    def __init__(self, source: Maps, index: int, below: float, there: bool = False) -> None:
        """Takes the place of the class among the others, t in (0, 1), and if it is there."""
        self.source, self.index, self.below, self.there = source, index, below, there
        self.batch, self.labels = source.batch, source.labels + (not there)
        self.size, self.device = source.size, source.device

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        logits = self.source.rows(start, stop)
        before, after = logits[:, : self.index], logits[:, self.index + self.there :]
        known = torch.cat([before, after], dim=1)
        best = known.argmax(1, keepdim=True)
        others = known.scatter(1, best, -math.inf).logsumexp(1, keepdim=True)
        unsure = others + math.log(self.below / (1 - self.below))
        if self.there:
            unsure = torch.maximum(unsure, logits[:, self.index : self.index + 1])
        return torch.cat([before, unsure, after], dim=1)

    def split(self, count: int) -> "Sequence[UnsureMaps]":
        """See `Maps`."""
        del count
        return [self]

    def pictures(self, first: int, last: int) -> "UnsureMaps":
        """See `Maps`."""
        source = self.source.pictures(first, last)
        return UnsureMaps(source, self.index, self.below, self.there)


def pooled(maps: Maps, question: Question) -> Maps:
    """Logits of a question's vectors as those of its classes, but for one that has no vector."""
    return maps if question.plain else PooledMaps(maps, question.pools)


def pooled_logits(logits: PixelLogits, question: Question) -> Maps:
    """As `pooled`, at the network's own resolution: a quarter of the cost, and upsampled then."""
    if question.plain:
        return logits
    half = PooledMaps(logits.half, question.pools)
    return CroppedMaps(ResizedMaps(half, logits.padded, logits.cells), logits.size)


def answered(maps: Maps, question: Question) -> Maps:
    """Logits of `pooled`, at the size that they are wanted at, as those of all classes."""
    unsure = question.unsure
    if unsure is None:
        return maps
    there = question.without_vector is None
    return UnsureMaps(maps, unsure.index, unsure.below, there)
