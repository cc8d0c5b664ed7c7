"""Declarative key maps: every key of a foreign checkpoint is renamed or dropped for a reason."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import Tensor

from lseg.config import NetworkConfig, TextConfig
from lseg.errors import CheckpointError


class Rule(NamedTuple):
    """What becomes of the keys that a regular expression matches as a whole.

    Attributes:
        pattern: Regular expression; its groups are for `target`.
        target: The new key, as for `re.sub`; None drops the key.
        reason: Why it is dropped.
    """

    pattern: str
    target: str | None
    reason: str = ""


class Conversion(NamedTuple):
    """A foreign checkpoint in this project's terms.

    Attributes:
        source: What kind of checkpoint it was, in words.
        config: Configuration of the network, or of a text encoder alone.
        weights: Its state dict, with the names of this project.
        text: State dict of the text tower that came with it (open_clip's names), if one did.
        dropped: Keys that are not used, each with the reason.
    """

    source: str
    config: NetworkConfig | TextConfig
    weights: dict[str, Tensor]
    text: dict[str, Tensor] | None
    dropped: dict[str, str]


class Renaming(NamedTuple):
    """The outcome of a key map: old key to new key, and old key to the reason for dropping it."""

    kept: dict[str, str]
    dropped: dict[str, str]


def rename(keys: Iterable[str], rules: Sequence[Rule], source: str) -> Renaming:
    """Applies the first rule that matches each key.

    Raises:
        CheckpointError: Naming the first key that no rule matches.
    """
    compiled = [(re.compile(rule.pattern), rule) for rule in rules]
    renaming = Renaming({}, {})
    for key in keys:
        for pattern, rule in compiled:
            match = pattern.fullmatch(key)
            if match is None:
                continue
            if rule.target is None:
                renaming.dropped[key] = rule.reason
            else:
                renaming.kept[key] = match.expand(rule.target)
            break
        else:
            raise CheckpointError(f"{source} has an unknown weight: {key!r}")
    return renaming


def take(weights: dict[str, Tensor], kept: dict[str, str]) -> dict[str, Tensor]:
    """Moves tensors out of `weights` under their new names, so that none exists twice."""
    return {new: weights.pop(old) for old, new in kept.items()}
