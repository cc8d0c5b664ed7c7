"""The class of all that no other label fits: how `other` is asked, if at all by a word."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from lseg.data.sets.label_table import read_labels
from lseg.errors import ConfigError, LabelError
from lseg.text.encoder import SYNONYM_SEPARATOR, LabelEncoder
from lseg.text.vocabulary import far_words, vocabulary
from lseg.visualize.colours import BACKGROUND_NAMES

NEAR = 0.85
"""Cosine of CLIP's vectors from which a word of the vocabulary is too near to a label."""

SHARE = 5.0
"""The rest of a vocabulary counts as much as this many times the number of labels, however many
words it has. These numbers measured best on COCO val, 2 to 20 labels a picture, with `photo`."""

SAME = 0.99
"""Cosine from which a background word is one of the labels."""

UNSURE = 0.5
"""Probability of the best label below which a pixel is `other`, without any words for it."""

UNSURE_TOO = 0.3
"""The same beside a vocabulary."""

WIDE = 200
"""Words of a table from which on the rest of them says what is `other` better than a word does,
which few trainings have (docs/evaluation.md: `background` as a word finds little of VOC's)."""

_VOC_BACKGROUND = read_labels("voc").prompts[0].split(SYNONYM_SEPARATOR)
BACKGROUND_WORDS = tuple(word for word in _VOC_BACKGROUND if word not in BACKGROUND_NAMES)
"""What else is in a photograph: words for the background of VOC, see `assets/labels/voc.csv`."""


@dataclass(frozen=True)
class OtherVectors:
    """Vectors (K, C) that stand for `other`, K at least 1; see `Pool` and `Unsure` for the rest."""

    vectors: Tensor
    summed: bool = False
    margin: float = 0.0
    below: float | None = None


@dataclass(frozen=True)
class Asked:
    """What is asked for besides `other`.

    Attributes:
        labels: At least one.
        vectors: Their unit vectors (P, C), one or more a label.
        known: Words that the text side knows; None if it is to be asked.
    """

    labels: Sequence[str]
    vectors: Tensor
    known: Sequence[str] | None = None


class OtherRule(Protocol):
    """How pixels that fit none of the other labels are found."""

    def stand_in(
        self, encoder: LabelEncoder, label: str, asked: Asked, device: torch.device
    ) -> OtherVectors | float | None:
        """What stands for `other`.

        Args:
            encoder: The text side.
            label: The word that it was called by.
            asked: The other labels.
            device: Where vectors are to be.

        Returns:
            Vectors; or a probability: where the best of the other labels has less, is `other`; or
            None: it is a label like all others.

        Raises:
            LabelError: If the text side lacks what the rule needs.
        """
        ...


@dataclass(frozen=True)
class Word:
    """`other` is a label like all others.

    Attributes:
        narrow: Not with a table of `WIDE` words or more.
    """

    narrow: bool = False

    def stand_in(
        self, encoder: LabelEncoder, label: str, asked: Asked, device: torch.device
    ) -> OtherVectors | float | None:
        """See `OtherRule`."""
        del device
        table = not encoder.source.templates
        if self.narrow and table and len(asked.known or vocabulary(encoder)) >= WIDE:
            raise LabelError(f"the rest of the table says what {label!r} is")
        if not encoder.knows(label):  # a table's own text encoder is not loaded for this word
            raise LabelError(f"the text side has no vector of its own for {label!r}")
        return None


@dataclass(frozen=True)
class Words:
    """Words for what may be in a picture besides the labels; those that are labels are left out.

    Attributes:
        words: Free text; by default those of `BACKGROUND_WORDS` that the text side knows.
        summed: See `Pool`.
    """

    words: tuple[str, ...] | None = None
    summed: bool = False

    def stand_in(
        self, encoder: LabelEncoder, label: str, asked: Asked, device: torch.device
    ) -> OtherVectors | float | None:
        """See `OtherRule`."""
        words = [word for word in BACKGROUND_WORDS if encoder.knows(word)]
        vectors = encoder.encode(list(self.words or words), device, distinct=False)
        far = (vectors @ asked.vectors.T).amax(1) < SAME
        return OtherVectors(_kept(vectors, far, label, "words"), self.summed)


@dataclass(frozen=True)
class Vocabulary:
    """All words that the text side knows, but those near a label; see `far_words`.

    Attributes:
        words: In place of those that the text side knows.
        near: Cosine from which a word is near.
        summed: See `Pool`. Their probabilities together, as a training on several sets asks for a
            background that may be any label of the others; otherwise the best word's.
        margin: See `Pool`: is taken off the logit of `other`. None: log(M / (`SHARE` N)), at least
            0, for N labels and M words: M words are not more probable than a few by their number.
    """

    words: tuple[str, ...] | None = None
    near: float = NEAR
    summed: bool = True
    margin: float | None = None

    def stand_in(
        self, encoder: LabelEncoder, label: str, asked: Asked, device: torch.device
    ) -> OtherVectors | float | None:
        """See `OtherRule`."""
        words = list(self.words or asked.known or vocabulary(encoder))
        vectors = encoder.encode(words, device, distinct=False)
        far = far_words(words, vectors, asked.labels, asked.vectors, self.near)
        kept = _kept(vectors, far, label, "words of the vocabulary")
        margin = self.margin
        if margin is None:
            margin = max(0.0, math.log(len(kept) / (SHARE * len(asked.labels))))
        return OtherVectors(kept, self.summed, margin)


@dataclass(frozen=True)
class Threshold:
    """No word: where the best label has a probability below `below`, is `other`."""

    below: float = UNSURE

    def __post_init__(self) -> None:
        """Refuses what is no probability."""
        if not 0 < self.below < 1:
            raise ConfigError(f"threshold={self.below:g}: give a probability between 0 and 1")

    def stand_in(
        self, encoder: LabelEncoder, label: str, asked: Asked, device: torch.device
    ) -> OtherVectors | float | None:
        """See `OtherRule`."""
        del encoder, label, asked, device
        return self.below


@dataclass(frozen=True)
class Rest:
    """The vocabulary or a threshold: the rest of the words fits better, or no label is probable."""

    vocabulary: Vocabulary = Vocabulary()
    threshold: Threshold = Threshold(UNSURE_TOO)

    def stand_in(
        self, encoder: LabelEncoder, label: str, asked: Asked, device: torch.device
    ) -> OtherVectors | float | None:
        """See `OtherRule`."""
        found = self.vocabulary.stand_in(encoder, label, asked, device)
        assert isinstance(found, OtherVectors)
        return replace(found, below=self.threshold.below)


@dataclass(frozen=True)
class FirstOf:
    """The first of some rules that the text side has all for."""

    rules: tuple[OtherRule, ...]

    def stand_in(
        self, encoder: LabelEncoder, label: str, asked: Asked, device: torch.device
    ) -> OtherVectors | float | None:
        """See `OtherRule`."""
        for rule in self.rules[:-1]:
            try:
                return rule.stand_in(encoder, label, asked, device)
            except LabelError:
                continue
        return self.rules[-1].stand_in(encoder, label, asked, device)


OTHER_ALWAYS = FirstOf((Word(narrow=True), Rest(), Threshold()))
"""The word where the text side has it and is no wide table; else the rest of the vocabulary, if any
of it remains."""


def _kept(vectors: Tensor, kept: Tensor, label: str, what: str) -> Tensor:
    if not kept.any():
        raise LabelError(
            f"no {what} remain to stand for {label!r}, for all are near the labels: ask for it by "
            "threshold=0.5, or by other words"
        )
    return vectors[kept]
