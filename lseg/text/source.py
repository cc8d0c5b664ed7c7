"""What turns prompts into vectors: a text encoder, or a table."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Answer(NamedTuple):
    """What stands for a name that was asked for.

    Attributes:
        prompt: What is encoded, or looked up, in its place.
        note: What is to be said of that; None where it is the name itself.
    """

    prompt: str
    note: str | None = None


class TextSource(Protocol):
    """Turns prompts into vectors.

    Attributes:
        key: Identifies model and weights; vectors of equal keys may be cached together. None where
            nothing is gained by caching.
        templates: Whether prompts are to be put into prompt templates first.
    """

    key: str | None
    templates: bool

    def knows(self, name: str) -> bool:
        """Whether a name has an answer that is at hand: nothing is loaded or fetched for it."""

    def answer(self, name: str) -> Answer:
        """What stands for a name.

        Raises:
            LabelError: If nothing does.
        """

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Unit vectors (n, C), float32, on the CPU."""
