"""Room on the disk for uploads and results."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class _File(NamedTuple):
    written: float  # seconds, as `time.time`
    size: int
    path: Path


class Room:
    """A folder whose files are deleted when they are old, and the oldest when there are too many.

    Gradio deletes what it remembers to have been given; parts of uploads that were never finished,
    and files under names that it does not ask for, are not among that.
    """

    def __init__(self, folder: Path, most: int, age: float) -> None:
        """What is there already stays.

        Args:
            folder: Of nobody else.
            most: Bytes of all files that have come since.
            age: Seconds after which a file goes.
        """
        self._folder, self._most, self._age = folder, most, age
        self._kept = {path for path in folder.rglob("*") if path.is_file()}

    def make(self) -> None:
        """Deletes what is too old, and the oldest until the rest fits."""
        oldest = time.time() - self._age
        files = sorted(self._files())
        total = sum(file.size for file in files)
        for file in files:
            if file.written > oldest and total <= self._most:
                break
            file.path.unlink(missing_ok=True)
            total -= file.size

    def _files(self) -> Iterator[_File]:
        for place, _, names in os.walk(self._folder):
            for path in (Path(place, name) for name in names):
                if path not in self._kept:
                    try:
                        status = path.lstat()
                    except FileNotFoundError:  # deleted meanwhile
                        continue
                    yield _File(status.st_mtime, status.st_size, path)
