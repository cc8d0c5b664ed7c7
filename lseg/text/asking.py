"""From label texts to what pixels are asked."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from lseg.data.base.labels import display_name
from lseg.text.distinct import refuse_equal
from lseg.text.encoder import SYNONYM_SEPARATOR, LabelEncoder
from lseg.text.other import OTHER_ALWAYS, Asked, OtherRule, OtherVectors
from lseg.text.question import Pool, Question, Unsure
from lseg.visualize.colours import BACKGROUND_NAMES

Synonyms = Literal["mean", "max"]


@dataclass(frozen=True, eq=False)
class Inquiry:
    """Labels that are to become a question.

    Attributes:
        encoder: The text side.
        labels: Free text; `|` separates synonyms.
        device: Where vectors are to be.
        other: Which of the labels is that of the rest; found by its name if not given.
        known: Words that the text side knows; it is asked for them if they are not given.
    """

    encoder: LabelEncoder
    labels: Sequence[str]
    device: torch.device
    other: int | None = None
    known: Sequence[str] | None = None


class AnyAsking(ABC):
    """How labels are asked for: by text alone, or by examples too."""

    def question(
        self,
        encoder: LabelEncoder,
        labels: Sequence[str],
        device: torch.device | str = "cpu",
        other: int | None = None,
        known: Sequence[str] | None = None,
    ) -> Question:
        """What pixels are asked; see `Inquiry`.

        Raises:
            LabelError: If a label is not known, or two are one.
        """
        return self.answer(Inquiry(encoder, labels, torch.device(device), other, known))

    @abstractmethod
    def answer(self, inquiry: Inquiry) -> Question:
        """As `question`."""


@dataclass(frozen=True)
class Asking(AnyAsking):
    """Labels are asked by text alone.

    Attributes:
        synonyms: `mean`: a label's vector is the mean of its synonyms. `max`: each synonym has a
            vector of its own, and the largest of their logits is the label's.
        other: How `other` (or `others`, `background`) is asked, if it is one of several labels.
    """

    synonyms: Synonyms = "mean"
    other: OtherRule = OTHER_ALWAYS

    def answer(self, inquiry: Inquiry) -> Question:
        """As `question`; a label that the text side lacks is not known."""
        encoder, labels, device = inquiry.encoder, inquiry.labels, inquiry.device
        place = other_place(labels) if inquiry.other is None else inquiry.other
        rest = [label for index, label in enumerate(labels) if index != place]
        if place is not None and rest:
            vectors, pools = self._vectors(encoder, rest, device, distinct=False)
            asked = Asked(rest, vectors, inquiry.known)
            found = self.other.stand_in(encoder, labels[place], asked, device)
            if found is not None:
                refuse_equal(vectors, _owners(rest, pools), encoder.notes)
            notes = tuple(encoder.notes(rest))
            if isinstance(found, float):
                return Question(tuple(labels), vectors, pools, Unsure(place, found), notes)
            if found is not None:
                return replace(_with_other(labels, vectors, pools, place, found), notes=notes)
        vectors, pools = self._vectors(encoder, labels, device, distinct=True)
        return Question(tuple(labels), vectors, pools, notes=tuple(encoder.notes(labels)))

    def _vectors(
        self, encoder: LabelEncoder, labels: Sequence[str], device: torch.device, distinct: bool
    ) -> tuple[Tensor, tuple[Pool, ...]]:
        if self.synonyms == "mean" or not any(SYNONYM_SEPARATOR in label for label in labels):
            return encoder.encode(labels, device, distinct), (Pool(),) * len(labels)
        synonyms = [label.split(SYNONYM_SEPARATOR) for label in labels]
        each = [[word for word in words if word.strip()] or [""] for words in synonyms]
        pools = tuple(Pool(len(words)) for words in each)
        vectors = encoder.encode([word for words in each for word in words], device, distinct=False)
        if distinct:
            refuse_equal(vectors, _owners(labels, pools), encoder.notes)
        return vectors, pools


AS_TRAINED = Asking()
"""As LSeg: synonyms averaged. `other` is asked by its word, where the text side has one."""


def other_place(labels: Sequence[str]) -> int | None:
    """Which label is called `other` or the like, if one is."""
    names = [display_name(label).lower() for label in labels]
    return next((index for index, name in enumerate(names) if name in BACKGROUND_NAMES), None)


def _with_other(
    labels: Sequence[str],
    vectors: Tensor,
    pools: tuple[Pool, ...],
    place: int,
    other: OtherVectors,
) -> Question:
    before = sum(pool.count for pool in pools[:place])
    whole = torch.cat([vectors[:before], other.vectors, vectors[before:]])
    pool = Pool(len(other.vectors), other.summed, other.margin)
    unsure = None if other.below is None else Unsure(place, other.below)
    return Question(tuple(labels), whole, (*pools[:place], pool, *pools[place:]), unsure)


def _owners(labels: Sequence[str], pools: Sequence[Pool]) -> list[str]:
    """The label of each vector."""
    return [label for label, pool in zip(labels, pools, strict=True) for _ in range(pool.count)]
