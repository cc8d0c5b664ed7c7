"""Where results go; checked before any work is done, made when the first result is there."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from lseg.errors import ImageError, LSegError
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


def refuse_overwriting(images: Iterable[Path], suffixes: Iterable[str], out: Path) -> None:
    """Makes sure that no result would replace a picture that is read.

    Raises:
        ImageError: If one would.
    """
    inputs = {path.resolve() for path in images}
    results = {(out / f"{path.stem}{suffix}").resolve() for path in inputs for suffix in suffixes}
    for path in sorted(inputs & results):
        raise ImageError(f"{path} would be overwritten by a result: give another --out")


def unique_stems(images: Iterable[Path]) -> list[Path]:
    """The pictures, whose results are named after their stems.

    Raises:
        ImageError: If two would write the same file.
    """
    stems: dict[str, Path] = {}
    for path in images:
        if path.stem in stems:
            raise ImageError(
                f"{stems[path.stem]} and {path} would both write {path.stem}.*: run them apart, "
                "with another --out"
            )
        stems[path.stem] = path
    return list(stems.values())


def note_lone_label(labels: Sequence[str] | None) -> None:
    """Says on standard error that a label without another to choose from is everywhere."""
    if labels is not None and len(labels) == 1:
        print(
            f"lseg: {labels[0]!r} is the only label, so every pixel gets it: name a second one, "
            "or other, for a choice",
            file=sys.stderr,
        )
