"""A question of which examples are known: what they add to it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from lseg.memory.examples import Example
from lseg.memory.fitting import fit
from lseg.memory.rows import REST, REST_ALONE, RowMaker, level
from lseg.text.question import Question, Taught

RIDGE = 0.015
"""See `lseg.memory.fitting.fit`; with one example a class."""


def taught_by(
    question: Question,
    shown: Mapping[int, Sequence[Example]],
    scale: float,
    stored: bool = False,
    wordless: Sequence[int] = (),
) -> Question:
    """The question with what the examples of some of its classes say.

    Args:
        question: As text asks it.
        shown: Examples, at least one, by the places of their classes; the class that has no vector
            cannot have any.
        scale: Of text logits.
        stored: Answers are to come from stored embeddings, without the backbone's maps.
        wordless: Classes whose vectors are not of words, but the mean of their examples.
    """
    if len(question.pools) < 2 or not shown:
        return question
    unsure = len(question.names) if question.unsure is None else question.unsure.index
    rest = REST if len(shown) == len(question.pools) else REST_ALONE
    maker = RowMaker(question, scale, stored, rest)
    for place, examples in shown.items():
        maker.add(examples, place - (place > unsure))
    rows = maker.rows()
    places = torch.tensor([place - (place > unsure) for place in shown])
    shift = level(rows, [place - (place > unsure) for place in wordless])
    found = fit(rows._replace(offsets=rows.offsets + shift), places, ridge_of(shown))
    width = question.vectors.shape[1]
    weights = found.weight[:, :width], found.weight[:, width:]
    taught = Taught(places, *weights, found.bias + shift[places])
    return replace(question, taught=taught.to(question.vectors.device))


def ridge_of(shown: Mapping[int, Sequence[Example]]) -> float:
    """The more examples a class has on average, the less its weights are held back."""
    mean = sum(map(len, shown.values())) / len(shown)
    return RIDGE / mean
