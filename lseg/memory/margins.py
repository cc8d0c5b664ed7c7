"""How easily classes are named: chosen on pictures that the fit has not seen.

A fit says what is probable. What is to be large is the mean over classes of intersection over
union, for which rare and hard classes are to be named earlier or later than that. So the examples
are split into two halves by picture, each half is answered by the fit of the other, and a constant
is looked for that, added to a class's logits, makes that mean of the answers larger.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lseg.memory.examples import Example

SHARE = 0.5
"""Of what was best for the examples: halves of them are few pictures."""

MOVES = (-1.0, -0.5, 0.5, 1.0)
ROUNDS = 2

Shown = Mapping[int, Sequence[Example]]
"""Examples by the places of their classes."""


class Judged(NamedTuple):
    """Vectors whose class is known, or of which one is known that it is not.

    Attributes:
        logits: (P, N), of a fit that has not seen their pictures.
        places: (P,) int64.
        own: (P,) bool: whether that is their class; otherwise it is what they are not.
        areas: (P,) share of a picture that each stands for.
    """

    logits: Tensor
    places: Tensor
    own: Tensor
    areas: Tensor


def margins(
    shown: Shown, classes: int, judge: Callable[[Shown, Shown], Sequence[Judged]]
) -> Tensor:
    """What is to be added to the logits of the N `classes`, (N,): 0 where too little is known.

    Args:
        shown: All examples.
        classes: N.
        judge: What a fit of the first examples says of the second ones.
    """
    halves = _halves(shown)
    moved = [place for place in sorted(shown) if all(place in half for half in halves)]
    moved = [place for place in moved if any(example.sure for example in shown[place])]
    if not moved:
        return torch.zeros(classes)
    parts = [*judge(halves[0], halves[1]), *judge(halves[1], halves[0])]
    return SHARE * _best(Judged(*map(torch.cat, zip(*parts, strict=True))), moved)


def _halves(shown: Shown) -> list[dict[int, list[Example]]]:
    """Every other picture, and the rest."""
    sources = sorted({example.source for examples in shown.values() for example in examples})
    halves: list[dict[int, list[Example]]] = [{}, {}]
    for place, examples in shown.items():
        for example in examples:
            halves[sources.index(example.source) % 2].setdefault(place, []).append(example)
    return halves


def _best(judged: Judged, moved: Sequence[int]) -> Tensor:
    """Class by class the move that makes the mean largest, as long as one does."""
    found = torch.zeros(judged.logits.shape[1])
    best = _mean_iou(judged, found, moved)
    for _ in range(ROUNDS):
        for place in moved:
            for move in MOVES:
                other = found.index_add(0, torch.tensor([place]), torch.tensor([move]))
                value = _mean_iou(judged, other, moved)
                if value > best + 1e-4:
                    best, found = value, other
    return found


def _mean_iou(judged: Judged, added: Tensor, places: Sequence[int]) -> float:
    """Mean over classes: a pixel that is wrongly said to be a class is held against that class."""
    said = (judged.logits + added).argmax(1)
    hit = said == judged.places
    wrong = torch.where(judged.own, ~hit, hit)
    count = judged.logits.shape[1]
    right = torch.bincount(judged.places, judged.areas * (judged.own & hit), count)
    truth = torch.bincount(judged.places, judged.areas * judged.own, count)
    false = torch.bincount(said, judged.areas * wrong, count)
    return float((right / (truth + false).clamp_min(1e-9))[list(places)].mean())
