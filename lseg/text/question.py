"""What pixels are asked: classes, each by a vector, by several, or by none."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from lseg.errors import LSegWarning


@dataclass(frozen=True)
class Pool:
    """How a class is asked by vectors.

    Attributes:
        count: By how many.
        summed: The probabilities of its vectors are summed (logsumexp of the logits); otherwise
            the largest logit is the class's.
        margin: Is taken off the class's logit.
    """

    count: int = 1
    summed: bool = False
    margin: float = 0.0

    def of(self, logits: Tensor) -> Tensor:
        """Logits (B, n, h, w) of some of its vectors to (B, h, w)."""
        return logits.logsumexp(1) if self.summed else logits.amax(1)

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        """What two parts of its vectors gave, (B, h, w) each, to what both give."""
        return torch.logaddexp(one, other) if self.summed else torch.maximum(one, other)


@dataclass(frozen=True)
class Unsure:
    """The class of pixels that nothing fits: asked by no vector, or by those of its pool as well.

    Attributes:
        index: Its place among the classes.
        below: It takes the pixels whose best other class has a smaller softmax probability.
    """

    index: int
    below: float


@dataclass(frozen=True)
class Taught:
    """What examples add to the logits of T classes: linear scores of what a pixel looks like.

    Attributes:
        classes: (T,) int64, their places among the classes that have vectors.
        embedding: (T, C), of the unit embedding; (T, 0) if it does not count.
        levels: (T, D), of the backbone's maps side by side, each of norm 1; (T, 0) likewise.
        bias: (T,).
    """

    classes: Tensor
    embedding: Tensor
    levels: Tensor
    bias: Tensor

    def times(self, factor: float) -> "Taught":
        """The same with its scores multiplied."""
        parts = (factor * part for part in (self.embedding, self.levels, self.bias))
        return Taught(self.classes, *parts)

    def to(self, device: torch.device) -> "Taught":
        """The same there."""
        parts = (self.classes, self.embedding, self.levels, self.bias)
        return Taught(*(part.to(device) for part in parts))


@dataclass(frozen=True)
class Question:
    """What pixels are asked; `lseg.models.pooled` answers it.

    Attributes:
        names: What to call the classes.
        vectors: (M, C), of any norm: those of the first class, then of the second, ...
        pools: How each class that has vectors is asked.
        unsure: The class that pixels are of which nothing else fits, if there is one.
        notes: What is to be said of how labels were answered; see `LabelEncoder.notes`.
        taught: What examples say, if there are any of a class.
    """

    names: tuple[str, ...]
    vectors: Tensor
    pools: tuple[Pool, ...]
    unsure: Unsure | None = None
    notes: tuple[str, ...] = ()
    taught: Taught | None = None

    @classmethod
    def of_vectors(cls, vectors: Tensor, names: Sequence[str] | None = None) -> Self:
        """A class a vector, (N, C)."""
        named = tuple(map(str, range(len(vectors)))) if names is None else tuple(names)
        return cls(named, vectors, (Pool(),) * len(vectors))

    @property
    def plain(self) -> bool:
        """Whether it is a class a vector."""
        return all(pool == Pool() for pool in self.pools)

    @property
    def without_vector(self) -> int | None:
        """The place of the class that is asked by no vector, if there is one."""
        if self.unsure is None or len(self.pools) == len(self.names):
            return None
        return self.unsure.index

    def to(self, device: torch.device) -> "Question":
        """The same with its vectors there."""
        taught = None if self.taught is None else self.taught.to(device)
        return replace(self, vectors=self.vectors.to(device), taught=taught)

    def warn_of_notes(self) -> None:
        """Says `notes` as warnings, of which the command line makes lines on standard error."""
        for note in self.notes:
            warnings.warn(note, LSegWarning, stacklevel=3)


def as_question(text: Tensor | Question) -> Question:
    """Vectors (N, C) as a question."""
    return text if isinstance(text, Question) else Question.of_vectors(text)
