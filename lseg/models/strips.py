"""Maps computed and reduced a part at a time: pictures, or strips of their rows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lseg.models.maps import Maps


class Budget(NamedTuple):
    """How much of some maps is computed at a time.

    Attributes:
        bytes: About how large the logits are.
        labels: Of more labels, only so many together; None goes by whole pictures.
    """

    bytes: int
    labels: int | None

    def labels_of(self, maps: Maps) -> int:
        """How many labels are reduced together, where each can be computed by itself."""
        height, width = maps.size
        return self.labels or max(1, self.bytes // (4 * height * width))


CPU_BUDGET = Budget(2**24, 128)  # small enough for a processor's cache
GPU_BUDGET = Budget(2**28, None)  # large enough to keep it busy; cutting rows costs time there


def budget_of(maps: Maps) -> Budget:
    """What suits the device of maps."""
    return CPU_BUDGET if maps.device.type == "cpu" else GPU_BUDGET


def picture_groups(maps: Maps) -> Iterator[tuple[int, int]]:
    """Pictures [first, last) after pictures [first, last) whose logits are within the budget."""
    height, width = maps.size
    yield from ranges(maps.batch, budget_of(maps).bytes, 4 * maps.labels * height * width)


def row_strips(maps: Maps, budget: int | None = None) -> Iterator[tuple[int, int]]:
    """Rows [start, stop) after rows [start, stop) whose logits take about `budget` bytes."""
    height, width = maps.size
    budget = budget_of(maps).bytes if budget is None else budget
    yield from ranges(height, budget, 4 * maps.batch * maps.labels * width)


def ranges(count: int, budget: int, bytes_each: int) -> Iterator[tuple[int, int]]:
    """[start, stop) after [start, stop) of `count` things, each within the budget, or one."""
    step = max(1, budget // bytes_each)
    for start in range(0, count, step):
        yield start, min(start + step, count)


class TopLabels(NamedTuple):
    """The k best labels of every pixel, best first: indices and logits, (B, k, H, W) each."""

    indices: Tensor
    logits: Tensor


def label_map(maps: Maps) -> Tensor:
    """Index of the best label at every pixel, (B, H, W) int64; the first one of equals.

    The memory is that of a strip of logits, however many labels there are: a running maximum goes
    over as many of them at a time as the budget says.
    """
    return top_labels(maps, 1).indices[:, 0]


def top_labels(maps: Maps, count: int) -> TopLabels:
    """The `count` best labels of every pixel (all, if there are fewer), strip by strip."""
    found = [
        _joined(top_strips(maps.pictures(first, last), count), dim=2)
        for first, last in picture_groups(maps)
    ]
    return _joined(found, dim=0)


def _joined(parts: Iterable[TopLabels], dim: int) -> TopLabels:
    return TopLabels(*(torch.cat(tensors, dim=dim) for tensors in zip(*parts, strict=True)))


def top_strips(maps: Maps, count: int) -> Iterator[TopLabels]:
    """`top_labels`, strip after strip from the top, for those who keep them in another form."""
    parts = maps.split(budget_of(maps).labels_of(maps))
    for strip in row_strips(parts[0]):
        yield _top_of_strip(parts, strip, count)


def _top_of_strip(parts: Sequence[Maps], strip: tuple[int, int], count: int) -> TopLabels:
    best, first = None, 0
    for part in parts:
        top = _top(part.rows(*strip), count)
        top = TopLabels(top.indices + first, top.logits)
        best = top if best is None else _best_of(best, top, count)
        first += part.labels
    assert best is not None
    return best


def _best_of(earlier: TopLabels, later: TopLabels, count: int) -> TopLabels:
    both = TopLabels(*(torch.cat(pair, dim=1) for pair in zip(earlier, later, strict=True)))
    order, logits = _top(both.logits, count)
    return TopLabels(both.indices.gather(1, order), logits)


def _top(logits: Tensor, count: int) -> TopLabels:
    """Of logits that exist; `topk` would be slower for one, and pick any of equals."""
    found = (
        logits.max(1, keepdim=True) if count == 1 else logits.topk(min(count, logits.shape[1]), 1)
    )
    return TopLabels(found.indices, found.values)
