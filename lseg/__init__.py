"""LSeg: language-driven semantic segmentation. Names here import their modules when first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lseg.checkpoints.native import load_model
    from lseg.config import LSegConfig
    from lseg.models.lseg import LSeg
    from lseg.segmenter import Segmenter

__version__ = "0.1.0"
__all__ = ["LSeg", "LSegConfig", "Segmenter", "load_model"]

_HOMES = {
    "LSeg": "lseg.models.lseg",
    "LSegConfig": "lseg.config",
    "Segmenter": "lseg.segmenter",
    "load_model": "lseg.checkpoints.native",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
