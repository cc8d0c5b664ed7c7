"""A question of which examples are known: what they add to it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lseg.memory.examples import Example
from lseg.memory.fitting import Linear, fit, surprise
from lseg.memory.margins import Judged, Shown, margins
from lseg.memory.rows import RowMaker, level
from lseg.text.question import Question, Taught

RIDGE = 0.08
"""See `lseg.memory.fitting.fit`; of one example that surprises text by 1."""

LEAST = 0.07
"""Text is never taken to be surprised by less than this: below it, luck counts as well."""

SOFT = 15.0
"""Largest scale of text logits in a fit: what a network is too sure of, examples cannot mend."""


def taught_by(
    question: Question,
    shown: Mapping[int, Sequence[Example]],
    scale: float,
    stored: bool = False,
    wordless: Sequence[int] = (),
    trust: float = 1.0,
) -> Question:
    """The question with what the examples of some of its classes say.

    Args:
        question: As text asks it.
        shown: Examples, at least one, by the places of their classes; the class that has no vector
            cannot have any.
        scale: Of text logits.
        stored: Answers are to come from stored embeddings, without the backbone's maps.
        wordless: Classes whose vectors are not of words, but the mean of their examples.
        trust: Above 0; how sure text is taken to be: the surer, the less is left to learn.
    """
    if len(question.pools) < 2 or not shown:
        return question
    left_out = question.without_vector
    asked = [place for place in range(len(question.names)) if place != left_out]
    by_place = {asked.index(place): examples for place, examples in shown.items()}
    share = trust * min(1.0, SOFT / scale) if scale else 1.0
    maker = RowMaker(question, scale, share, stored)
    if wordless:
        shift = level(maker.rows(by_place), list(map(asked.index, wordless)))
        maker = replace(maker, shift=shift)
    found, places = _fitted(maker, by_place)

    def judge(seen: Shown, others: Shown) -> Sequence[Judged]:
        return maker.judged(*_fitted(maker, seen), others)

    added = margins(by_place, maker.classes, judge) + maker.shift
    width = question.vectors.shape[1]
    weights = found.weight[:, :width], found.weight[:, width:]
    taught = Taught(places, *weights, found.bias + added[places])
    return replace(question, taught=taught.times(1 / share).to(question.vectors.device))


def _fitted(maker: RowMaker, shown: Shown) -> tuple[Linear, Tensor]:
    """A fit of some examples, and the places of their classes."""
    places = torch.tensor(list(shown))
    rows = maker.rows(shown)
    return fit(rows, places, ridge_of(surprise(rows), sum(map(len, shown.values())))), places


def ridge_of(surprised: float, examples: int) -> float:
    """How far the weights of a fit are held back.

    The more examples there are and the less text says what they show, the more is learnt from them:
    where text is nearly always right, what one picture shows beside a class is soon taken for it.

    Args:
        surprised: See `lseg.memory.fitting.surprise`.
        examples: Their number.
    """
    return RIDGE / examples / max(surprised, LEAST) ** 1.5
