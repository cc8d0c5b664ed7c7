"""Bootstrap intervals of the mIoU: how much the figure owes to the pictures that were drawn.

Pictures, not pixels, are the independent observations: they are drawn with replacement, their areas
pooled, and the mIoU taken, many times (percentile bootstrap, Efron and Tibshirani, 1993).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lseg.evaluation.picture_areas import PictureAreas

RESAMPLES = 1000
SEED = 0
COVERAGE = 0.95

_BLOCK = 2**22  # weights held at a time


class Interval(NamedTuple):
    """Where 95 % of the resamples lie."""

    low: float
    high: float


def draws(pictures: int, resamples: int, seed: int) -> Iterator[Tensor]:
    """How often each picture occurs in each resample, (r, P) int64 at a time, R in all."""
    rng = np.random.default_rng(seed)
    share = np.full(pictures, 1 / pictures)
    size = max(1, _BLOCK // pictures)
    for first in range(0, resamples, size):
        rows = min(size, resamples - first)
        yield torch.from_numpy(rng.multinomial(pictures, share, size=rows))


def resampled_miou(
    areas: PictureAreas, first: int = 0, resamples: int = RESAMPLES, seed: int = SEED
) -> Tensor:
    """(R,) mIoU in [0, 1] of each resample; equal seeds draw equal pictures.

    As in the figure itself, a class that a resample has in neither truth nor prediction is left
    out, and so are classes before `first`.
    """
    found = [areas.weighted(drawn).iou() for drawn in draws(len(areas), resamples, seed)]
    return torch.cat([iou[:, first:].nanmean(1) for iou in found])


def interval(values: Tensor) -> Interval | None:
    """The 95 % interval of resampled figures; None if there is none, as nothing was labelled."""
    values = values[~values.isnan()]
    if not len(values):
        return None
    edges = torch.tensor([(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], dtype=values.dtype)
    return Interval(*values.quantile(edges).tolist())


def miou_interval(
    areas: PictureAreas, first: int = 0, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval | None:
    """The mIoU's 95 % interval in [0, 1]; None for fewer than two pictures, which tell nothing."""
    if len(areas) < 2:
        return None
    return interval(resampled_miou(areas, first, resamples, seed))
