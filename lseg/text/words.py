"""A table that also answers words that it lacks: other spellings, and its own encoder's words."""

import shlex
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from lseg.errors import ConfigError, LabelError, shown
from lseg.text.english import English
from lseg.text.matching import Matcher
from lseg.text.origin import Origin, encoder_of
from lseg.text.source import Answer, TextEncoder
from lseg.text.table import LabelTable


class TableWords(LabelTable):
    """A label-embedding table for people who type words.

    A word is looked up as it stands; then in other spellings and by its synonyms; then it is
    encoded by the text encoder that made the table, where that is at hand. What cannot be had once
    is not asked for again.
    """

    def __init__(self, path: Path) -> None:
        """Reads the table; see `LabelTable`."""
        super().__init__(path)
        self._absent: ConfigError | None = None

    @cached_property
    def matcher(self) -> Matcher:
        """Finds names in other spellings."""
        return Matcher(self.names, English.read())

    @cached_property
    def encoder(self) -> TextEncoder:
        """The text encoder that made the table.

        Raises:
            ConfigError: If it cannot be had; see `encoder_of`.
        """
        if self._absent is not None:
            raise self._absent
        try:
            return encoder_of(self)
        except ConfigError as error:
            self._absent = error
            raise

    def knows(self, name: str) -> bool:
        """Whether the table has a name in any spelling."""
        return name in self.vectors or self.matcher.find(name) is not None

    def answer(self, name: str) -> Answer:
        """The name of the row that stands for a name, or the name itself for the encoder.

        Raises:
            LabelError: If there is neither, with the five nearest names.
        """
        if name in self.vectors:
            return Answer(name)
        known = self.matcher.find(name)
        if known is not None:
            return Answer(known, f'"{name}" answered as "{known}"')
        try:
            _ = self.encoder
        except ConfigError as error:
            raise self._unknown(name, error) from error
        meant = self.matcher.misspelt(name)
        note = f'"{name}" is not in {self.path.name}, encoded by {Origin.of(self)}'
        return Answer(name, note if meant is None else f'{note}: did you mean "{meant}"?')

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Rows of the table, and vectors of the encoder for what `answer` left to it."""
        others = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self.vectors]
        encoded: dict[str, Tensor] = {}
        if others:
            vectors = Origin.of(self).encode(self.encoder, others, device)
            encoded = dict(zip(others, vectors, strict=True))
        return torch.stack([
            self.vectors[prompt] if prompt in self.vectors else encoded[prompt]
            for prompt in prompts
        ])  # fmt: skip

    def _unknown(self, name: str, reason: ConfigError) -> LabelError:
        nearest = ", ".join(f'"{one}"' for one in self.matcher.nearest(name))
        return LabelError(
            f"label {shown(name)} is not among the {len(self.names)} of {self.path.name}; nearest: "
            f"{nearest}. Any spelling or synonym of its names will do; for other words {reason}"
            f"{self._command(name)}"
        )

    def _command(self, name: str) -> str:
        """What to type where the encoder is; empty if it is not known which that is."""
        try:
            made = Origin.of(self).command
        except ConfigError:
            return ""
        return (
            f"; where there are: lseg labels encode {shlex.quote(name)} {made} --out FILE, then "
            "lseg labels merge it with this table, for --text-table"
        )
