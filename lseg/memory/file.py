"""Examples as one safetensors file, with the names, the pictures and the model they came from."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

import lseg
from lseg.data.base.labels import clean_name
from lseg.errors import CheckpointError, LabelError, escaped, shown
from lseg.files import atomic_file, read_safetensors
from lseg.memory.examples import Example, Examples, Vectors
from lseg.parsing import field, parse_json
from lseg.plain import LARGEST_NUMBER

FORMAT = "lseg memory 1"


@dataclass(frozen=True)
class Owner:
    """The model whose vectors a memory holds; those of another mean nothing to it.

    Attributes:
        fingerprint: Hash of its weights.
        embed_dim: Width of its pixel embeddings.
        levels: Widths of its backbone's maps.
        size: Shorter side of the pictures as it saw them; 0 where they kept their size.
    """

    fingerprint: str
    embed_dim: int
    levels: tuple[int, ...]
    size: int

    def refuse_other(self, other: "Owner", where: str) -> None:
        """Makes sure that vectors of `other` can be used with this model.

        Raises:
            CheckpointError: If they are of another one.
        """
        if (self.embed_dim, self.levels) != (other.embed_dim, other.levels):
            raise CheckpointError(
                f"{where} holds vectors of {other.embed_dim} + {sum(other.levels)} numbers, this "
                f"model has {self.embed_dim} + {sum(self.levels)}: take the model that it was made "
                "with, or make it again"
            )
        if self.fingerprint != other.fingerprint:
            raise CheckpointError(
                f"{where} was made with other weights ({escaped(other.fingerprint[:8])}, this "
                f"model has {self.fingerprint[:8]}): take the model that it was made with, or make "
                "it again"
            )


def save_examples(path: Path, examples: Examples, owner: Owner) -> None:
    """Writes the file, whole or not at all; the same examples make the same bytes."""
    held = list(examples)
    tensors = {
        f"{kind}.{name}": _joined([getattr(getattr(one, kind), name) for one in held], width)
        for kind in ("shown", "rest")
        for name, width in (("embeddings", owner.embed_dim), ("levels", sum(owner.levels)))
    }
    told = {
        "format": FORMAT,
        "lseg": lseg.__version__,
        "model": {
            "fingerprint": owner.fingerprint,
            "embed_dim": owner.embed_dim,
            "levels": owner.levels,
            "size": owner.size,
        },
        "limit": examples.limit,
        "examples": [
            {
                "label": one.label,
                "source": one.source,
                "key": one.key,
                "area": one.area,
                "shown": len(one.shown.embeddings),
                "rest": len(one.rest.embeddings),
                "sure": one.sure,
            }
            for one in held
        ],
    }
    with atomic_file(path) as partial:
        save_file(tensors, partial, {"memory": json.dumps(told)})  # one: their order is chance


def read_examples(path: Path) -> tuple[Examples, Owner]:
    """What `save_examples` wrote.

    Raises:
        CheckpointError: If there is no such file, or it holds something else.
    """
    try:
        tensors, metadata = read_safetensors(path)
        told = parse_json(metadata["memory"])
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {shown(told['format'])}")
        owner = _owner(field(told, "model", dict))
        rows = field(told, "examples", list)
        near, rest = (
            _vectors(tensors, kind, [field(row, kind, int) for row in rows], owner)
            for kind in ("shown", "rest")
        )
        examples = Examples(
            (_example(row, own, far) for row, own, far in zip(rows, near, rest, strict=True)),
            _positive(told, "limit"),
        )
    except FileNotFoundError:
        raise CheckpointError(f"there is no memory {path}: `lseg memory build` makes one") from None
    except LabelError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is no memory of examples ({shown(error)}): give a file of `lseg memory build`"
        ) from error
    return examples, owner


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _joined(parts: Sequence[Tensor], width: int) -> Tensor:
    return torch.cat([torch.empty(0, width, dtype=torch.float16), *parts])


def _owner(model: dict[str, Any]) -> Owner:
    widths = field(model, "levels", list)
    if not all(type(width) is int for width in widths):
        raise ValueError(f"its 'levels' are {shown(widths)}")
    name, width, size = (
        field(model, "fingerprint", str), _positive(model, "embed_dim"), field(model, "size", int)
    )  # fmt: skip
    if not 0 <= size <= LARGEST_NUMBER:
        raise ValueError(f"its 'size' is {shown(size)}")
    return Owner(name, width, tuple(widths), size)


def _positive(values: object, name: str) -> int:
    number = field(values, name, int)
    if number < 1:
        raise ValueError(f"its {name!r} is {shown(number)}")
    return number


def _example(row: dict[str, Any], near: Vectors, rest: Vectors) -> Example:
    label, source, key = (field(row, name, str) for name in ("label", "source", "key"))
    if not clean_name(label):
        raise ValueError("it has an example without a label")
    area = field(row, "area", float)
    if not 0 <= area <= 1:
        raise ValueError(f"its 'area' is {area}, and no share")
    return Example(label, source, key, area, near, rest, field(row, "sure", bool))


def _vectors(
    tensors: dict[str, Tensor], kind: str, counts: list[int], owner: Owner
) -> Iterable[Vectors]:
    parts = []
    for name, width in (("embeddings", owner.embed_dim), ("levels", sum(owner.levels))):
        values, wanted = tensors[f"{kind}.{name}"], (sum(counts), width)
        if tuple(values.shape) != wanted or not values.isfinite().all():
            raise ValueError(
                f"{kind}.{name} has shape {tuple(values.shape)}, or numbers that are not finite"
            )
        parts.append(values.split(counts))
    return map(Vectors, *parts)
