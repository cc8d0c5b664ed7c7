"""Files of examples that visitors bring along, checked."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError

from lseg.demo.limits import Limits
from lseg.demo.marks import read_label
from lseg.errors import CheckpointError, LabelError
from lseg.files import read_safetensors
from lseg.memory.examples import CELLS, Example, Vectors
from lseg.memory.file import Owner, read_examples

NAMES = 2**20
"""Bytes of a file beside its vectors."""

NAME = 255
"""Characters of a picture's name."""

NONE = "the file is no memory of examples: give one that was downloaded here, or of `lseg memory`"


def read_memory(path: str, owner: Owner, limits: Limits) -> list[Example]:
    """The examples in an uploaded file; what does not add up is found before it is used.

    Args:
        path: It.
        owner: The model that they must be of.
        limits: Bound their number and size.

    Raises:
        CheckpointError: If it is no such file, or of another model.
        LabelError: If it has too many examples, or a label could not be asked for.
    """
    examples, other = _read(Path(path), limits)
    owner.refuse_other(other, "the memory")
    return [_checked(example, owner, limits) for example in examples]


def _read(file: Path, limits: Limits) -> tuple[list[Example], Owner]:
    most = limits.memory_bytes + NAMES
    if file.stat().st_size > most:
        raise CheckpointError(
            f"the memory is larger than {most / 2**20:.0f} MB: give a smaller one"
        )
    try:
        told = json.loads(read_safetensors(file)[1]["memory"])
        count = len(told["examples"])  # before they are put in order
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(NONE) from None
    if count > limits.examples:
        raise LabelError(f"the memory has {count} examples: up to {limits.examples} are kept here")
    try:
        held, owner = read_examples(file)
        examples = list(held)
    except (ValueError, TypeError, RuntimeError, AttributeError):  # its words say where it lies
        raise CheckpointError(NONE) from None
    numbers = [owner.embed_dim, *owner.levels]
    if not (isinstance(owner.fingerprint, str) and all(type(each) is int for each in numbers)):
        raise CheckpointError(NONE)
    return examples, owner


def _checked(example: Example, owner: Owner, limits: Limits) -> Example:
    fits = (
        isinstance(example.source, str)
        and isinstance(example.key, str)
        and isinstance(example.area, float | int)
        and 0 <= example.area <= 1
        and isinstance(example.sure, bool)
        and 1 <= len(example.shown.embeddings) <= CELLS
        and len(example.rest.embeddings) <= CELLS
        and _fit(example.shown, owner)
        and _fit(example.rest, owner)
    )
    if not fits or max(len(example.source), len(example.key)) > NAME:
        raise CheckpointError(NONE)
    if read_label(example.label, limits) != example.label:
        raise LabelError(f"the memory has a label {example.label!r} with spaces to spare")
    return example


def _fit(vectors: Vectors, owner: Owner) -> bool:
    count = len(vectors.embeddings)
    return all(
        part.dtype == torch.float16 and part.shape == (count, width) and bool(part.isfinite().all())
        for part, width in (
            (vectors.embeddings, owner.embed_dim),
            (vectors.levels, sum(owner.levels)),
        )
    )
