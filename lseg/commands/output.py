"""Where results go; checked before any work is done, made when the first result is there."""

import os
import re
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lseg.errors import LSegError
from lseg.locks import file_lock, folder_lock
from lseg.paths import user_path

LABEL_MAP_SUFFIXES = (".png", ".overlay.png", ".json")
"""What follows a picture's stem in the names of its label map's files."""


@dataclass(frozen=True)
class Destination:
    """Where the results of a run over pictures go.

    Attributes:
        folder: Their folder; where they go to an address, one here for copies.
        address: Of a folder elsewhere, such as `s3://bucket/results`.
        held: Keeps the folder for copies.
    """

    folder: Path
    address: str | None = None
    held: TemporaryDirectory[str] | None = None

    def __str__(self) -> str:
        return self.address or str(self.folder)


def destination(out: Path) -> Destination:
    """The folder or address of `--out`.

    Raises:
        LSegError: If the folder cannot be made or written to.
        DataError: If there is no such kind of address, or its package is lacking.
    """
    # A path has one slash where an address has two; a letter before the colon is a drive.
    found = re.fullmatch(r"([a-z][a-z0-9+.-]+):/+(.*)", out.as_posix())
    if found is None:
        return Destination(output_folder(out))
    if found[1] == "file":
        return Destination(output_folder(Path("/", found[2])))
    address = f"{found[1]}://{found[2]}"
    from lseg.data.base.remote import remote_system  # not for --help

    remote_system(address)
    held = TemporaryDirectory(prefix="lseg-")
    return Destination(Path(held.name), address, held)


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

    An address has none.

    Raises:
        LSegError: As `output_folder`, or if another run is writing to it.
    """
    out = destination(folder)
    return nullcontext() if out.address else folder_lock(out.folder, _rank())


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
