"""Tables of label vectors that stand in for a text encoder."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional as F

from lseg.data.base.labels import clean_name, refuse_repeated
from lseg.errors import LabelError, shown
from lseg.files import read_safetensors


class LabelTable:
    """A label-embedding table: `embeddings` (N, C) in a `.safetensors` file, with label names.

    Attributes:
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
        try:
            tensors, metadata = read_safetensors(path)
            embeddings = tensors["embeddings"].float()
            names = json.loads(metadata["labels"])
            self.template = metadata.get("template")
        except FileNotFoundError:
            raise LabelError(f"{path}: no such label-embedding table") from None
        except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
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
        self.names = [clean_name(name) for name in names]
        refuse_repeated(self.names, f"the table {path}")
        self.vectors = dict(zip(self.names, F.normalize(embeddings, dim=-1), strict=True))

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Looks the prompts up; see `TextSource`.

        Raises:
            LabelError: If a prompt is not in the table, with the closest names.
        """
        for prompt in prompts:
            if prompt not in self.vectors:
                near = difflib.get_close_matches(prompt, self.names, n=5, cutoff=0.5)
                known = f"closest: {', '.join(near)}" if near else f"e.g. {self.names[:5]}"
                raise LabelError(
                    f"label {shown(prompt)} is not among the {len(self.names)} of "
                    f"{self.path.name}; {known}"
                )
        return torch.stack([self.vectors[prompt] for prompt in prompts])
