"""Where results go; checked before any work is done, made when the first result is there."""

import os
from pathlib import Path

from lseg.errors import LSegError


def output_folder(folder: Path) -> Path:
    """The folder of `--out`.

    Raises:
        LSegError: If it cannot be made or written to.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise LSegError(f"--out {folder}: {existing} is a file, give another folder")
    if not os.access(existing, os.W_OK):
        raise LSegError(f"--out {folder}: no permission to write to {existing}")
    return folder


def output_file(file: Path) -> Path:
    """The file of `--out`.

    Raises:
        LSegError: If it is a folder, or its folder cannot be made or written to.
    """
    if file.is_dir():
        raise LSegError(f"--out {file} is a folder: give a file")
    output_folder(file.parent)
    return file
