"""Weights of a Hugging Face folder, whole or in shards, and what precedes their renaming."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lseg.convert.huggingface.encoder import Encoder
from lseg.convert.keymap import Rule, Source, rename_keys, take_renamed
from lseg.errors import CheckpointError
from lseg.store.folder import WEIGHTS_FILE
from lseg.store.foreign import read_state_dict
from lseg.store.sharded import refuse_absent, weight_places

PICKLE_FILE = "pytorch_model.bin"
UNUSED_BLOCK = "a transformer block after the last level"


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All weights of a folder; safetensors are preferred.

    Raises:
        CheckpointError: If there are none, or they cannot be read, or some are missing.
    """
    for name in (WEIGHTS_FILE, PICKLE_FILE):
        file, index = folder / name, folder / f"{name}.index.json"
        if file.is_file():
            return read_state_dict(file)
        if index.is_file():
            return _read_shards(index)
    raise CheckpointError(f"{folder} has neither {WEIGHTS_FILE} nor {PICKLE_FILE}, nor their index")


def merge_attention(
    weights: dict[str, Tensor], attentions: Iterable[str], joined: Sequence[str], source: str
) -> None:
    """Stacks query, key and value of some attentions to one `qkv`.

    Done in place, under Hugging Face's names: three (D, D) become one (3 * D, D), and so do biases
    where they are joined.

    Args:
        weights: As the folder has them.
        attentions: See `Encoder`.
        joined: See `Encoder`.
        source: What to call the folder in errors.

    Raises:
        CheckpointError: If one of the three is missing, or they differ in shape.
    """
    for before in attentions:
        for leaf in joined:
            names = [f"{before}{part}.{leaf}" for part in ("query", "key", "value")]
            missing = [name for name in names if name not in weights]
            if len(missing) == 3 and leaf == "bias":
                continue  # without qkv_bias there is none
            if missing:
                raise CheckpointError(f"{source} lacks the weight {missing[0]!r}")
            parts = [weights.pop(name) for name in names]
            for name, part in zip(names, parts, strict=True):
                if part.shape != parts[0].shape:
                    raise CheckpointError(
                        f"{source}: weight {name!r} has shape {tuple(part.shape)}, its query "
                        f"{tuple(parts[0].shape)}"
                    )
            weights[f"{before}qkv.{leaf}"] = torch.cat(parts)


class Renamed(NamedTuple):
    """Weights under the names of this project, those left out, and the rules that did it."""

    weights: dict[str, Tensor]
    dropped: dict[str, str]
    rules: Sequence[Rule]


def rename_weights(
    weights: dict[str, Tensor], encoder: Encoder, decoder: Sequence[Rule], source: Source
) -> Renamed:
    """Renames all weights of a folder; takes the tensors out of `weights`.

    Args:
        weights: As the folder has them.
        encoder: Its image encoder, with the key map of that.
        decoder: Key map of everything else.
        source: What to call the folder in errors.

    Raises:
        CheckpointError: Naming the first weight that no rule knows.
    """
    unused = unused_blocks(weights, encoder.blocks, encoder.levels[-1])
    rules = [*unused, *decoder, *encoder.rules]
    renaming = rename_keys(weights, rules, source)
    return Renamed(take_renamed(weights, renaming.kept), renaming.dropped, rules)


def unused_blocks(keys: Iterable[str], before: str, last: int) -> list[Rule]:
    """Rules that drop the transformer blocks after block `last`; `before` as above."""
    pattern = re.escape(before)
    found = {int(match[1]) for key in keys if (match := re.match(rf"{pattern}(\d+)\.", key))}
    return [
        Rule(rf"{pattern}{index}\..+", None, UNUSED_BLOCK)
        for index in sorted(found)
        if index > last
    ]


def _read_shards(index: Path) -> dict[str, Tensor]:
    """The shards that an index lists, all of them with all of their weights."""
    places = weight_places(index)
    weights: dict[str, Tensor] = {}
    for file in sorted(set(places.values())):
        weights.update(read_state_dict(file))
    refuse_absent(weights, places)
    return weights
