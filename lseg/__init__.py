"""LSeg: language-driven semantic segmentation. Names here import their modules when first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lseg.checkpoints.load import load_model
    from lseg.config import LSegConfig
    from lseg.embedding.stored import open_embeddings
    from lseg.inference.memory import Memory
    from lseg.inference.segmenter import Segmenter
    from lseg.models.lseg import LSeg

__version__ = "0.1.0"
__all__ = ["LSeg", "LSegConfig", "Memory", "Segmenter", "load_model", "open_embeddings"]

_HOMES = {
    "LSeg": "lseg.models.lseg",
    "LSegConfig": "lseg.config",
    "Memory": "lseg.inference.memory",
    "Segmenter": "lseg.inference.segmenter",
    "load_model": "lseg.checkpoints.load",
    "open_embeddings": "lseg.embedding.stored",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
