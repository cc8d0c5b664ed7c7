"""What a conversion says of itself, beside the key map of `lseg.store.keymap` that it went by."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from lseg.config import NetworkConfig, TextConfig
from lseg.errors import CheckpointError
from lseg.store.keymap import Renaming, Rule, Source, rename_keys

__all__ = [
    "Conversion",
    "Renaming",
    "Rule",
    "Source",
    "rename_keys",
    "shape_of",
    "share_known",
    "take_renamed",
]


class Conversion(NamedTuple):
    """A foreign checkpoint in this project's terms.

    Attributes:
        source: What kind of checkpoint it was, in words.
        config: Configuration of the network, or of a text encoder alone.
        weights: Its state dict, with the names of this project.
        text: State dict of the text tower that came with it (open_clip's names), if one did.
        dropped: Keys that are not used, each with the reason.
        rules: The key map that renamed them.
    """

    source: str
    config: NetworkConfig | TextConfig
    weights: dict[str, Tensor]
    text: dict[str, Tensor] | None
    dropped: dict[str, str]
    rules: Sequence[Rule] = ()

    def original(self, name: str) -> str:
        """What a weight of the network is called in the checkpoint."""
        keys = (rule.original(name) for rule in self.rules)
        return next((key for key in keys if key is not None), name)


def share_known(keys: Collection[str], rules: Sequence[Rule]) -> float:
    """How many of the keys some rule matches, in [0, 1]."""
    pattern = re.compile("|".join(f"(?:{rule.pattern})" for rule in rules))
    return sum(pattern.fullmatch(key) is not None for key in keys) / len(keys)


def shape_of(
    weights: Mapping[str, Tensor], key: str, source: Source, ndim: int = 4
) -> tuple[int, ...]:
    """The shape of a weight that tells how the network is built.

    Raises:
        CheckpointError: If there is no such weight, or it has another number of dimensions.
    """
    if key not in weights:
        raise CheckpointError(f"{source} lacks the weight {source.key(key)}")
    shape = tuple(weights[key].shape)
    if len(shape) != ndim:
        raise CheckpointError(
            f"{source}: weight {source.key(key)} has shape {shape}, not {ndim} dimensions"
        )
    return shape


def take_renamed(weights: dict[str, Tensor], kept: dict[str, str]) -> dict[str, Tensor]:
    """Moves tensors out of `weights` under their new names, so that none exists twice."""
    return {new: weights.pop(old) for old, new in kept.items()}
