"""Where things lie on a user's machine."""

from __future__ import annotations

import os
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


def cache_dir() -> Path:
    """Return the folder of derived files that can be made again: `LSEG_CACHE`, `~/.cache/lseg`."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lseg"
    return Path(os.environ.get("LSEG_CACHE") or default).expanduser()


def data_root() -> Path:
    """Return the folder that relative data paths start from: `LSEG_DATA`, else `./data`."""
    return Path(os.environ.get("LSEG_DATA") or "data").expanduser()


def resolve_data_path(path: str | Path) -> Path:
    """Return where a data file or folder lies, so that one config serves several machines.

    An absolute path is returned as it is. A relative one is looked up under `data_root()`, then in
    the working directory. A path found in neither is returned as under `data_root()`: the error
    that its reader then raises names the place where the data is expected.
    """
    path = Path(path).expanduser()
    under_root = data_root() / path  # an absolute path on the right replaces the left one
    if not under_root.exists() and path.exists():
        return path
    return under_root
