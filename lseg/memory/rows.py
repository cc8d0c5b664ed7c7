"""Examples as rows of a fit: what is known of each of their vectors."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.memory.examples import Example, Vectors
from lseg.memory.fitting import Rows
from lseg.models.maps import DenseMaps, all_logits
from lseg.models.pooled import pooled
from lseg.text.question import Question

REST = 0.3
"""Weight of what is known not to be a label beside that of the label, if all have examples."""

REST_ALONE = 3.0
"""The same if some have none: then nothing else shows what they look like."""

BALANCE = 0.25
"""Power of its area that an example weighs: 0 counts examples alike, 1 pixels."""


class RowMaker:
    """Collects the vectors of examples, with the logits that text gives them."""

    def __init__(self, question: Question, scale: float, stored: bool, rest: float) -> None:
        """Takes what is asked.

        Args:
            question: Its classes are those with vectors.
            scale: Of text logits.
            stored: Fit unit embeddings alone, without the backbone's maps.
            rest: See `REST`.
        """
        self.question, self.scale, self.stored, self.rest = question, scale, stored, rest
        self.classes = len(question.pools)
        self._parts: list[Rows] = []

    def add(self, examples: Sequence[Example], place: int) -> None:
        """All examples of the class at `place`.

        Each counts alike, whatever its class: what is in many pictures is to be expected again.
        """
        own = torch.zeros(self.classes, dtype=torch.bool)
        own[place] = True
        area = sum(example.area for example in examples) / len(examples)
        for example in examples:
            self._add(example.shown, own, area**BALANCE)
            self._add(example.rest, ~own, self.rest * (1 - area) ** BALANCE, example.sure)

    def rows(self) -> Rows:
        """All of them."""
        return Rows(*map(torch.cat, zip(*self._parts, strict=True)))

    def _add(self, vectors: Vectors, allowed: Tensor, weight: float, known: bool = True) -> None:
        count = len(vectors.embeddings)
        if count == 0:
            return
        seen = vectors.embeddings if self.stored else torch.cat(vectors, dim=1)
        self._parts.append(Rows(
            seen.float(),
            self._text_logits(vectors.embeddings),
            allowed.expand(count, -1),
            torch.full((count,), weight / count),
            torch.full((count,), known),
        ))  # fmt: skip

    def _text_logits(self, embeddings: Tensor) -> Tensor:
        """(P, N) of (P, C) unit embeddings, without a spatial block."""
        unit = F.normalize(self.question.vectors.float().cpu(), dim=1)
        logits = self.scale * embeddings.float() @ unit.T
        maps = pooled(DenseMaps(logits.T[None, :, :, None]), self.question)
        return all_logits(maps)[0, :, :, 0].T


def level(rows: Rows, places: Sequence[int]) -> Tensor:
    """What is to be added to text logits, (N,), so that the classes at `places` compete fairly.

    Cosines of embeddings with one another are larger than those with words. So the logits of
    classes whose vectors are not words are brought to those of the best other class, in the mean
    of their own examples.
    """
    shift = rows.offsets.new_zeros(rows.offsets.shape[1])
    words = [place for place in range(len(shift)) if place not in places]
    for place in places if words else ():
        own = rows.offsets[rows.allowed[:, place] & (rows.allowed.sum(1) == 1) & rows.known]
        shift[place] = (own[:, words].amax(1) - own[:, place]).mean()
    return shift
