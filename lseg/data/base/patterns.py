"""Glob patterns whose `**` comes to an end, whatever links there are."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

_BELOW = "**"


def matches(pattern: str | Path) -> Iterator[Path]:
    """Yield what a pattern names: as `glob.iglob`, recursive, hidden names left out.

    Each folder is looked into once below a `**`: through its own name where it has one there, else
    through a link. `glob` follows links that lead up again as long as the system lets it, which
    with two of them is for ever.
    """
    parts = Path(pattern).parts
    if _BELOW not in parts:
        yield from map(Path, glob.iglob(str(pattern)))
        return
    place = parts.index(_BELOW)
    head, tail = Path(*parts[:place]), parts[place + 1 :]
    while tail[:1] == (_BELOW,):
        tail = tail[1:]
    tops = map(Path, glob.iglob(str(head))) if glob.has_magic(str(head)) else [head]
    for top in tops:
        for folder in _folders(top):
            if tail:
                yield from matches(Path(glob.escape(str(folder)), *tail))
            else:
                yield from (folder / entry.name for entry in _entries(folder))


def _folders(top: Path) -> Iterator[Path]:
    """Yield a folder and all below it, each once."""
    seen: set[tuple[int, int]] = set()
    waiting, links = [top], list[Path]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop()
        try:
            status = folder.stat()
        except OSError:  # a link to nowhere
            continue
        place = status.st_dev, status.st_ino
        if place in seen:
            continue
        seen.add(place)
        yield folder
        for entry in _entries(folder):
            if entry.is_symlink():
                links.append(folder / entry.name)
            elif entry.is_dir():
                waiting.append(folder / entry.name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds that is not hidden; nothing where it is none or cannot be read."""
    try:
        with os.scandir(folder) as found:
            return [entry for entry in found if not entry.name.startswith(".")]
    except OSError:
        return []
