"""Labels that the text side does not know, and that were shown: asked by what they look like."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lseg.errors import LabelError
from lseg.text.encoder import LabelEncoder
from lseg.text.source import Answer, TextSource


class ShownWords:
    """A text side that takes the vectors of some words from elsewhere; see `TextSource`."""

    key: str | None = None
    templates = False

    def __init__(self, source: TextSource, shown: Mapping[str, Tensor]) -> None:
        """`shown` are unit vectors (C) of words that `source` does not know."""
        self.source, self.shown = source, shown

    def knows(self, name: str) -> bool:
        """See `TextSource`."""
        return name in self.shown or self.source.knows(name)

    def answer(self, name: str) -> Answer:
        """See `TextSource`."""
        return Answer(name) if name in self.shown else self.source.answer(name)

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """See `TextSource`."""
        others = [prompt for prompt in prompts if prompt not in self.shown]
        found = dict(self.shown)
        if others:
            found |= zip(others, self.source.encode(others, device), strict=True)
        return torch.stack([found[prompt].cpu() for prompt in prompts])


def knows(encoder: LabelEncoder, word: str) -> bool:
    """Whether the text side has a vector for a word."""
    try:
        encoder.encode([word])
    except LabelError:
        return False
    return True


def with_shown_words(encoder: LabelEncoder, shown: Mapping[str, Tensor]) -> LabelEncoder:
    """The text side, with unit vectors (C) for words that it does not know."""
    if not shown:
        return encoder
    return LabelEncoder(encoder.config, encoder.embed_dim, ShownWords(encoder.source, shown))
