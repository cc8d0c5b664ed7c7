"""What a data set's files were, in a few numbers: whether two figures are of the same data."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lseg.data.base.tar import TarMember

File = Path | TarMember


def fingerprint(files: Iterable[File]) -> dict[str, Any] | None:
    """Number, bytes, and a hash of the names and sizes of files; None of none at all.

    Contents are not read, so that it costs little. Names count from the folder that all files have
    in common: a data set that was moved keeps its fingerprint.

    Args:
        files: In any order; each counts once.

    Returns:
        `files`, `bytes`, and `sha256` of the sorted lines `name TAB size`.
    """
    sizes = {os.fspath(str(file)): _size(file) for file in dict.fromkeys(files)}
    if not sizes:
        return None
    folder = os.path.commonpath([Path(name).parent for name in sizes])
    lines = sorted(f"{os.path.relpath(name, folder)}\t{size}\n" for name, size in sizes.items())
    digest = hashlib.sha256(b"".join(map(os.fsencode, lines))).hexdigest()
    return {"files": len(sizes), "bytes": sum(sizes.values()), "sha256": digest}


def _size(file: File) -> int:
    return file.size if isinstance(file, TarMember) else file.stat().st_size
