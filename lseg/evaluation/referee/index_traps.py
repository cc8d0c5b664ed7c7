"""Label maps whose numbers mean other classes than the data set's: shifted, or in another order.

Whether another reading of the numbers is right is decided by kappa, which a bad or a random
prediction does not raise, and the fewer independent observations there are, the higher it must be.
A matching of classes must hold in pictures from which it was not made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from lseg.evaluation.metrics import scores_from_confusion
from lseg.evaluation.referee.assignment import best_assignment
from lseg.evaluation.referee.evidence import bits, kappa, pair_kappa

VOID_VALUES = (255, 65535)
"""What programs write for no class, in 8 and 16 bits."""

_GAIN = 0.25  # of kappa, at least, for another reading to be believed
_LEFT = 0.25  # of the other reading's kappa, at most, may already be in the one as given
_BITS = 10.0  # that must be left when those of choosing the reading are taken off
_OWN = 0.8  # kappa of a matching that has no other pictures to be tried on
_TIE = 1e-9


class Columns:
    """The columns of a confusion matrix for N classes: values 0 to N, void, and all others."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.above = classes
        self.void = classes + 1
        self.other = classes + 2
        self.count = classes + 3

    def of(self, values: np.ndarray) -> np.ndarray:
        """The column of each value of a label map."""
        void = np.isin(values, [value for value in VOID_VALUES if value > self.classes])
        inside = (values >= 0) & (values <= self.classes)
        return np.where(inside, values, np.where(void, self.void, self.other))


@dataclass(frozen=True)
class Evidence:
    """What the two maps of all pictures say.

    Attributes:
        halves: (2, N, N + 3) pixels, of every other picture: rows are truth, columns as `Columns`.
        shown: (N,) number of pictures with each class in the truth.
        pictures: Number of pictures.
        regions: Regions in all of them; see `RegionCounter`.
    """

    halves: np.ndarray
    shown: np.ndarray
    pictures: int
    regions: int

    @property
    def pooled(self) -> np.ndarray:
        """(N, N + 3) pixels of all pictures."""
        return self.halves.sum(0)

    @property
    def needed(self) -> float:
        """The kappa that another reading must reach."""
        return 0.3 + 0.6 / max(1, self.regions) ** 0.5

    def suffices(self, choices: float) -> bool:
        """Whether there is enough to choose one reading among so many (2 to the `choices`)."""
        return bits(self.pooled, self.pictures, self.regions) - choices >= _BITS


@dataclass(frozen=True)
class Reading:
    """Another reading of the maps' numbers.

    Attributes:
        classes: (N + 3,) the class that each column stands for; -1 for none.
        miou_before: In percent, of the numbers as they are.
        miou_after: In percent, of this reading.
        sentence: What is wrong, for the user.
        moved: Value -> class where they differ and pixels show it.
    """

    classes: np.ndarray
    miou_before: float
    miou_after: float
    sentence: str
    moved: dict[int, int] = field(default_factory=dict)


def find_other_reading(evidence: Evidence, names: list[str]) -> Reading | None:
    """The reading of the maps' numbers that is right where the one as given is not, if any."""
    if not evidence.pooled.sum():
        return None
    return _shift(evidence, names) or _order(evidence, names) or _void(evidence, names)


def read_as(confusion: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(N, N + 1) pixels of (N, N + 3) where column i is read as `classes[i]`, -1 for none."""
    count = len(confusion)
    result = np.zeros((count, count + 1), confusion.dtype)
    np.add.at(result.T, np.where(classes < 0, count, classes), confusion.T)
    return result


def _as_given(count: int) -> np.ndarray:
    return np.array([*range(count), -1, -1, -1])


def _miou(confusion: np.ndarray) -> float:
    return 100 * scores_from_confusion(torch.from_numpy(confusion)).miou


class _Moved(NamedTuple):
    above: bool
    round_the_end: bool
    classes: np.ndarray


def _shift(evidence: Evidence, names: list[str]) -> Reading | None:
    """All numbers are one too high, or one too low."""
    pooled, count = evidence.pooled, len(names)
    given = read_as(pooled, _as_given(count))
    # Column by column: 0, 1, ... N - 1, N, void, others.
    readings = [
        _Moved(True, False, np.array([-1, *range(count), -1, -1])),
        _Moved(False, False, np.array([*range(1, count), -1, -1, 0, -1])),
    ]
    if count > 2:  # of two classes, going round the end is an exchange
        readings += [
            _Moved(True, True, np.array([count - 1, *range(count), -1, -1])),
            _Moved(False, True, np.array([*range(1, count), 0, -1, 0, -1])),
        ]
    kappas = [kappa(read_as(pooled, one.classes)) for one in readings]
    reached = max(kappas)
    above, round_the_end, classes = readings[kappas.index(reached)]
    if not _convincing(evidence, kappa(given), reached) or not evidence.suffices(2):
        return None
    columns = read_as(pooled, classes)
    before, after = _miou(given), _miou(columns)
    if above:
        what = (
            f"indices are one above the data set's (1 stands for {names[0]!r}), as where 0 was "
            "kept for unlabelled pixels: reduce-zero-label was forgotten for the maps"
        )
    else:
        what = (
            f"indices are one below the data set's (0 stands for {names[min(1, count - 1)]!r}), "
            "as where reduce-zero-label was applied to the maps but not to the data set"
        )
    if round_the_end:
        what += ", or the class order was rolled by one, as the numbers go round the end"
    sentence = f"shift: the maps' {what}. Moved by one, their mIoU is {after:.2f}, not {before:.2f}"
    return Reading(classes, before, after, sentence, _moved(pooled, classes))


def _order(evidence: Evidence, names: list[str]) -> Reading | None:
    """The classes are in another order."""
    pooled, count = evidence.pooled, len(names)
    classes = _matched(pooled)
    given, matched = (read_as(pooled, one) for one in (_as_given(count), classes))
    moved = _moved(pooled, classes)
    choices = sum(math.log2(count - made) for made in range(len(moved)))
    if len(moved) < 2 or not evidence.suffices(choices):
        return None
    everywhere = _convincing(evidence, kappa(given), _kappa_elsewhere(evidence, matched))
    if not everywhere:
        classes = _believed_cycles(evidence, classes)
        moved = _moved(pooled, classes)
        if len(moved) < 2:
            return None
        matched = read_as(pooled, classes)
    before, after = _miou(given), _miou(matched)
    shown = [f"{value} ({names[value]}) is {names[index]!r}" for value, index in moved.items()]
    rest = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    sentence = (
        "order: the maps' classes are in another order than the data set's. Matched by the "
        f"confusion matrix, their mIoU is {after:.2f}, not {before:.2f}: "
        f"{', '.join(shown[:5])}{rest}"
    )
    return Reading(classes, before, after, sentence, moved)


def _void(evidence: Evidence, names: list[str]) -> Reading | None:
    """255 stands for a class: background written as void, or a mask of 0 and 255."""
    pooled, count = evidence.pooled, len(names)
    void = count + 1
    index = int(pooled[:, void].argmax())
    called, as_void = pooled[:, index].sum(), pooled[:, void].sum()
    if not as_void or called > 0.05 * as_void:
        return None
    classes = _as_given(count)
    classes[void] = index
    given, changed = (read_as(pooled, one) for one in (_as_given(count), classes))
    reached, had = (pair_kappa(one, index, index) for one in (changed, given))
    if reached < evidence.needed or reached - had < _GAIN or not evidence.suffices(0):
        return None
    before, after = _miou(given), _miou(changed)
    sentence = (
        f"shift: the maps have 255 where the truth is {names[index]!r} (index {index}), which they "
        "hardly name: 255 and 0 are confused, or a mask of 0 and 255 was saved for 0 and 1. Read "
        f"as that class, their mIoU is {after:.2f}, not {before:.2f}"
    )
    return Reading(classes, before, after, sentence, {255: index})


def _convincing(evidence: Evidence, given: float, other: float) -> bool:
    """Whether another reading's kappa shows that it is right, and the one as given wrong."""
    enough = other >= evidence.needed and other - given >= _GAIN
    return enough and given <= _LEFT * other


def _matched(confusion: np.ndarray) -> np.ndarray:
    """The classes of the columns under which the mIoU is largest; ties go to the own class."""
    count = len(confusion)
    square = confusion[:, :count].astype(np.float64)
    union = confusion.sum(1)[:, None] + square.sum(0)[None] - square
    iou = np.divide(square, union, out=np.zeros_like(square), where=union > 0)
    value_of = best_assignment(iou + _TIE * np.eye(count))
    classes = _as_given(count)
    classes[value_of] = np.arange(count)
    return classes


def _kappa_elsewhere(evidence: Evidence, matched: np.ndarray) -> float:
    """Kappa of each half of the pictures under the other's matching.

    Of truth that both halves have; where that is little, of all pixels under their own matching,
    which then must be nearly perfect.
    """
    first, second = evidence.halves
    tested = np.zeros_like(matched)
    for fitted, other in ((first, second), (second, first)):
        known = fitted.sum(1) > 0
        tested += read_as(other, _matched(fitted)) * known[:, None]
    if tested.sum() < _LEFT * matched.sum():
        own = kappa(matched)
        return own if own >= _OWN else 0.0
    return kappa(tested)


def _believed_cycles(evidence: Evidence, classes: np.ndarray) -> np.ndarray:
    """The matching with only those rounds of exchanged classes of which every one is plain.

    A model that calls one class by another's name does not also call that one by the first's.
    """
    pooled, count = evidence.pooled, len(evidence.pooled)
    kept = _as_given(count)
    seen: set[int] = set()
    for start in range(count):
        cycle: list[int] = []
        value = start
        while value not in seen:
            seen.add(value)
            cycle.append(value)
            value = int(classes[value])
        if len(cycle) < 2:
            continue
        shown = int(evidence.shown[cycle].sum())
        needed = max(evidence.needed, 0.5 + 0.5 / max(1, shown) ** 0.5)
        if shown >= 2 * len(cycle) and all(
            pair_kappa(pooled, int(classes[one]), one) >= needed for one in cycle
        ):
            kept[cycle] = classes[cycle]
    return kept


def _moved(confusion: np.ndarray, classes: np.ndarray) -> dict[int, int]:
    """Values that stand for another class, where at least a tenth of their union is shared."""
    moved = {}
    for value in range(len(confusion) + 1):
        index = int(classes[value])
        if index < 0 or index == value:
            continue
        both = confusion[index, value]
        if both > 0.1 * (confusion[index].sum() + confusion[:, value].sum() - both):
            moved[value] = index
    return moved
