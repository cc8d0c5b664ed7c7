"""Which layout of an encoder a folder is in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lseg.errors import CheckpointError
from lseg.files import read_json
from lseg.store.aligned import dinotxt, open_clip, transformers
from lseg.store.folder import StoredNetwork

SMALL_FILES = ["*.json", "*.txt", "*.model", "README.md"]
"""Configurations, tokenizers, and the card that tells the licence."""


@dataclass(frozen=True)
class Layout:
    """A layout in which others publish encoders of pictures and texts.

    Attributes:
        read: A folder in it, as an `AlignedEncoder` is stored.
        weights: Pattern of its weight files.
    """

    read: Callable[[Path], StoredNetwork]
    weights: str

    @property
    def files(self) -> list[str]:
        """Patterns of all that is read of such a folder."""
        return [*SMALL_FILES, self.weights]


def layout_of(folder: Path) -> Layout | None:
    """The layout of a folder; None where it is in none, or is no encoder for patches."""
    if (folder / open_clip.CONFIG).is_file():
        if open_clip.has_patches(_json(folder / open_clip.CONFIG)):
            return Layout(open_clip.read_open_clip, "open_clip_model*.safetensors")
        return None
    if _json(folder / transformers.CONFIG).get("model_type") in transformers.FAMILIES:
        return Layout(transformers.read_transformers, "model*.safetensors")
    if dinotxt.is_dinotxt(folder):
        return Layout(dinotxt.read_dinotxt, "*.safetensors")
    return None


def encoder_at(path: Path) -> StoredNetwork | None:
    """The encoder that a file or folder holds; None where it holds anything else.

    Raises:
        CheckpointError: If it is damaged.
    """
    if path.is_dir():
        layout = layout_of(path)
        return None if layout is None else layout.read(path)
    return dinotxt.read_dinotxt(path) if dinotxt.is_dinotxt(path) else None


def _json(file: Path) -> dict[str, Any]:
    try:
        return read_json(file)
    except CheckpointError:
        return {}
