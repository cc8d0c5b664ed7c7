"""From labels and examples to what pixels are asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.data.base.labels import clean_name
from lseg.memory.examples import Example, Examples
from lseg.memory.taught import taught_by
from lseg.memory.words import knows, with_shown_words
from lseg.text.asking import AnyAsking, Asking, Inquiry
from lseg.text.encoder import SYNONYM_SEPARATOR, LabelEncoder
from lseg.text.other import Word
from lseg.text.question import Question
from lseg.text.vocabulary import vocabulary


@dataclass(frozen=True, eq=False)
class TaughtAsking(AnyAsking):
    """Labels are asked by text as `asking` says, and by their examples where there are some.

    A label has the examples of its name, `a|b` those of both. One that the text side does not know
    is asked by what its examples look like.

    Attributes:
        asking: How text is asked.
        examples: Of the model that is asked.
        scale: Its logit scale.
        stored: Answers are to come from stored embeddings, without the backbone's maps.
    """

    asking: Asking
    examples: Examples
    scale: float
    stored: bool = False

    def answer(self, inquiry: Inquiry) -> Question:
        """As `question`; a label that neither the text side nor the memory knows is not known."""
        shown = {place: self._examples(label) for place, label in enumerate(inquiry.labels)}
        shown = {place: found for place, found in shown.items() if found}
        if not shown:
            return self.asking.answer(inquiry)
        encoder = inquiry.encoder
        looks = _looks(encoder, [example for found in shown.values() for example in found])
        if looks:
            known = vocabulary(encoder) if inquiry.known is None else inquiry.known
            inquiry = replace(inquiry, encoder=with_shown_words(encoder, looks), known=known)
        question = self.asking.answer(inquiry)
        if question.without_vector in shown:  # what examples say is added to what vectors say
            question = replace(self.asking, other=Word()).answer(inquiry)
        wordless = [place for place, found in shown.items() if found[0].label in looks]
        return taught_by(question, shown, self.scale, self.stored, wordless)

    def _examples(self, label: str) -> list[Example]:
        names = _names(label)
        return [example for example in self.examples if names & _names(example.label)]


def _names(label: str) -> set[str]:
    return {clean_name(name) for name in label.split(SYNONYM_SEPARATOR)}


def _looks(encoder: LabelEncoder, examples: Sequence[Example]) -> dict[str, Tensor]:
    """The mean unit embedding of each shown label that the text side does not know."""
    labels = sorted({example.label for example in examples})
    looks = {}
    for label in labels:
        if not knows(encoder, label):
            own = [one.shown.embeddings.float().mean(0) for one in examples if one.label == label]
            looks[label] = F.normalize(torch.stack(own).mean(0), dim=0)
    return looks
