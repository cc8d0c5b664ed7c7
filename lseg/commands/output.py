"""Where results go; checked before any work is done, made when the first result is there."""

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from lseg.errors import LSegError
from lseg.locks import file_lock, folder_lock
from lseg.paths import user_path

LABEL_MAP_SUFFIXES = (".png", ".overlay.png", ".json")
"""What follows a picture's stem in the names of its label map's files."""


def output_folder(folder: Path) -> Path:
    """The folder of `--out`, `~` expanded.

    Raises:
        LSegError: If it cannot be made or written to.
    """
    folder = user_path(folder)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise LSegError(f"--out {folder}: {existing} is a file, give another folder")
    if not os.access(existing, os.W_OK):
        raise LSegError(f"--out {folder}: no permission to write to {existing}")
    return folder


def output_file(file: Path) -> Path:
    """The file of `--out`, `~` expanded.

    Raises:
        LSegError: If it is a folder, or its folder cannot be made or written to.
    """
    file = user_path(file)
    if file.is_dir():
        raise LSegError(f"--out {file} is a folder: give a file")
    output_folder(file.parent)
    return file


def lock_folder(folder: Path) -> AbstractContextManager[None]:
    """A lock on the folder of `--out`; the processes that torchrun starts have one each.

    Raises:
        LSegError: As `output_folder`, or if another run is writing to it.
    """
    return folder_lock(output_folder(folder), _rank())


def lock_file(file: Path | None) -> AbstractContextManager[None]:
    """A lock on the file of `--out`, if there is one; of several processes the first writes it.

    Raises:
        LSegError: As `output_file`, or if another run is writing it.
    """
    return nullcontext() if file is None or _rank() else file_lock(output_file(file))


def going_on_in(folder: Path) -> str:
    """What a run over files leaves in its folder when it is interrupted, and how to go on."""
    return f"what is finished is whole, in {folder}; the same command again does the rest"


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def note_lone_label(labels: Sequence[str] | None) -> None:
    """Says on standard error that a label without another to choose from is everywhere."""
    if labels is not None and len(labels) == 1:
        print(
            f"lseg: {labels[0]!r} is the only label, so every pixel gets it: name a second one, "
            "or other, for a choice",
            file=sys.stderr,
        )
