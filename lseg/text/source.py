"""What turns prompts into vectors: a text encoder, or a table."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

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


class FreeText:
    """Base of text encoders: any name is known, and stands for itself."""

    key: str | None
    templates = True
    net: Any

    def knows(self, name: str) -> bool:
        """Any name is known; see `TextSource`."""
        return bool(name)

    def answer(self, name: str) -> Answer:
        """The name itself; see `TextSource`."""
        return Answer(name)

    def fingerprint(self) -> str:
        """A hash of the weights, the same whichever file they are from."""
        digest = hashlib.blake2b(digest_size=16)
        for name, value in sorted(self.net.state_dict().items()):
            if not name.startswith("logit"):  # of CLIP's own training; a tower alone has none
                digest.update(name.encode())
                digest.update(value.float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


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


class TextEncoder(TextSource, Protocol):
    """A text tower, which encodes any words."""

    def fingerprint(self) -> str:
        """A hash of the weights, the same whichever file they are from."""
