"""Examples as rows of a fit: what is known of each of their vectors."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.memory.examples import Vectors
from lseg.memory.fitting import Linear, Rows
from lseg.memory.margins import Judged, Shown
from lseg.models.maps import DenseMaps, all_logits
from lseg.models.pooled import pooled
from lseg.text.question import Question

REST = 0.3
"""Weight of what is known not to be a label beside that of the label, if all have examples."""

REST_ALONE = 3.0
"""The same the more of them have none: then nothing else shows what they look like."""

BALANCE = 0.25
"""Power of its area that an example weighs: 0 counts examples alike, 1 pixels."""


@dataclass(frozen=True, eq=False)
class RowMaker:
    """Makes rows of examples, with the logits that text gives their vectors.

    Attributes:
        question: Its classes are those with vectors.
        scale: Of text logits.
        share: What text logits are multiplied by in the fit, above 0.
        stored: Fit unit embeddings alone, without the backbone's maps.
        shift: (N,) or one for all, added to them then; see `level`.
    """

    question: Question
    scale: float
    share: float = 1.0
    stored: bool = False
    shift: Tensor | float = 0.0

    @property
    def classes(self) -> int:
        """Their number, N."""
        return len(self.question.pools)

    def rows(self, shown: Shown) -> Rows:
        """All examples, at least one.

        Each counts alike, whatever its class: what is in many pictures is to be expected again.
        """
        rest = REST + (REST_ALONE - REST) * (1 - len(shown) / self.classes)
        parts = []
        for place, examples in shown.items():
            own = torch.zeros(self.classes, dtype=torch.bool)
            own[place] = True
            area = sum(example.area for example in examples) / len(examples)
            for example in examples:
                parts += self._some(example.shown, own, area**BALANCE)
                weight = rest * (1 - area) ** BALANCE
                parts += self._some(example.rest, ~own, weight, example.sure)
        return Rows(*map(torch.cat, zip(*parts, strict=True)))

    def judged(self, fitted: Linear, taught: Tensor, shown: Shown) -> list[Judged]:
        """What a fit of other examples says of these; of `taught` are its rows."""
        labels = Counter(one.source for examples in shown.values() for one in examples)
        parts = []
        for place, examples in shown.items():
            for example in examples:
                parts += self._judged(fitted, taught, example.shown, place, True, example.area)
                if example.sure and labels[example.source] == 1:  # or other labels tell the rest
                    area = 1 - example.area
                    parts += self._judged(fitted, taught, example.rest, place, False, area)
        return parts

    def _judged(
        self, fitted: Linear, taught: Tensor, vectors: Vectors, place: int, own: bool, area: float
    ) -> list[Judged]:
        count = len(vectors.embeddings)
        if count == 0:
            return []
        scores = self._seen(vectors) @ fitted.weight.T + fitted.bias
        logits = self._text_logits(vectors.embeddings).index_add(1, taught, scores)
        areas = torch.full((count,), area / count, dtype=torch.float64)
        return [Judged(logits, torch.full((count,), place), torch.full((count,), own), areas)]

    def _some(
        self, vectors: Vectors, allowed: Tensor, weight: float, known: bool = True
    ) -> list[Rows]:
        count = len(vectors.embeddings)
        if count == 0:
            return []
        return [Rows(
            self._seen(vectors),
            self._text_logits(vectors.embeddings),
            allowed.expand(count, -1),
            torch.full((count,), weight / count),
            torch.full((count,), known),
        )]  # fmt: skip

    def _seen(self, vectors: Vectors) -> Tensor:
        return (vectors.embeddings if self.stored else torch.cat(vectors, dim=1)).float()

    def _text_logits(self, embeddings: Tensor) -> Tensor:
        """(P, N) of (P, C) unit embeddings, without a spatial block."""
        unit = F.normalize(self.question.vectors.float().cpu(), dim=1)
        logits = self.scale * embeddings.float() @ unit.T
        maps = pooled(DenseMaps(logits.T[None, :, :, None]), self.question)
        found = all_logits(maps)[0, :, :, 0].T
        return self.share * found + self.shift


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
