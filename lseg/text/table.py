"""Tables of label vectors that stand in for a text encoder."""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from lseg.data.base.labels import clean_name, refuse_repeated
from lseg.errors import LabelError, escaped, shown
from lseg.files import atomic_file, read_safetensors
from lseg.parsing import parse_json
from lseg.paths import refuse_special
from lseg.text.source import Answer


class LabelTable:
    """A label-embedding table: `embeddings` (N, C) in a `.safetensors` file, with label names.

    Attributes:
        path: Of the file.
        names: Of the rows.
        vectors: A unit vector (C,) by name.
        metadata: What the file says of its making: `model`, `pretrained` and `template`, if it
            does.
        template: The prompt template that its vectors were made with, if the file tells.
    """

    key: str | None = None
    templates = False

    def __init__(self, path: Path) -> None:
        """Reads the table.

        Raises:
            LabelError: If the file is missing or is no label-embedding table, or it has two rows
                for a name.
        """
        self.path = path
        refuse_special(path, LabelError)
        try:
            tensors, self.metadata = read_safetensors(path)
            embeddings = tensors["embeddings"].float()
            names = parse_json(self.metadata["labels"])
            self.template = self.metadata.get("template")
        except FileNotFoundError:
            raise LabelError(f"{path}: no such label-embedding table") from None
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise LabelError(
                f"{path} is no label-embedding table: expected a .safetensors file with a tensor "
                f"'embeddings' (N, C) and a JSON list 'labels' in its metadata ({error})"
            ) from error
        if (
            embeddings.ndim != 2
            or not isinstance(names, list)
            or not all(isinstance(name, str) for name in names)
            or len(names) != len(embeddings)
        ):
            raise LabelError(
                f"{path}: labels must be a list of as many names as there are rows in the "
                f"embeddings, which have shape {tuple(embeddings.shape)}"
            )
        if not embeddings.isfinite().all():
            raise LabelError(f"{path}: its embeddings have numbers that are not finite (NaN)")
        self.names = [clean_name(name) for name in names]
        refuse_repeated(self.names, f"the table {path}")
        self.vectors = dict(zip(self.names, F.normalize(embeddings, dim=-1), strict=True))

    def knows(self, name: str) -> bool:
        """Whether there is a row for a name; see `TextSource`."""
        return name in self.vectors

    def answer(self, name: str) -> Answer:
        """The name itself; see `TextSource`.

        Raises:
            LabelError: If it is not in the table, with the closest names.
        """
        if name not in self.vectors:
            near = difflib.get_close_matches(name, self.names, n=5, cutoff=0.5) or self.names[:5]
            raise LabelError(
                f"label {shown(name)} is not among the {len(self.names)} of {self.path.name}; "
                f"nearest: {escaped(', '.join(near))}"
            )
        return Answer(name)

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Looks the prompts up; see `TextSource`.

        Raises:
            LabelError: If a prompt is not in the table, with the closest names.
        """
        return torch.stack([self.vectors[self.answer(prompt).prompt] for prompt in prompts])


def write_table(path: Path, vectors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes a label-embedding table, whole or not at all.

    Args:
        path: Where to.
        vectors: (C,) of each name.
        metadata: What is said of their making: `model`, `pretrained`, `template` and more.
    """
    labels = json.dumps(list(vectors), ensure_ascii=False)
    embeddings = torch.stack(list(vectors.values())).contiguous()
    with atomic_file(path) as partial:
        save_file({"embeddings": embeddings}, partial, {**metadata, "labels": labels})
