"""One run at a time where results go: a lock that lives as long as the process that has it."""

from __future__ import annotations

import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from lseg.errors import InUseError, LSegWarning

LOCK = ".lseg.lock"


@contextmanager
def folder_lock(folder: Path, rank: int = 0) -> Iterator[None]:
    """Keeps other runs out of a folder of results for the block.

    The folder is made if it is missing, and is gone again if nothing came into it. The processes of
    one run share it, each under its own rank.

    Raises:
        InUseError: If another run has it, saying which.
    """
    made = _make(folder)
    try:
        with _lock(folder / (f".lseg.{rank}.lock" if rank else LOCK), folder):
            yield
    finally:
        for empty in made:
            with suppress(OSError):  # there is something in it
                empty.rmdir()


@contextmanager
def file_lock(file: Path) -> Iterator[None]:
    """Keeps other runs from a file of results for the block; otherwise as `folder_lock`."""
    made = _make(file.parent)
    try:
        with _lock(file.with_name(f".{file.name[:200]}.lock"), file):
            yield
    finally:
        for empty in made:
            with suppress(OSError):
                empty.rmdir()


@contextmanager
def _lock(path: Path, what: Path) -> Iterator[None]:
    """Holds the lock file of `what`.

    The system lets go of it when the process ends, however that is; a file that a killed run has
    left behind locks nothing.
    """
    from filelock import FileLock, Timeout  # a twentieth of a second, for those who write

    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise InUseError(
            f"{what} is being written by another run{_holder(path)}: wait for its end, or give "
            "another place for the results"
        ) from None
    except (OSError, NotImplementedError) as error:  # some network drives have no locks
        text = f"{what} cannot be locked ({error}): start no second run that writes there"
        warnings.warn(text, LSegWarning, stacklevel=2)
        yield
        return
    with suppress(OSError):  # a full disk; this is for the message alone
        path.write_text(_myself(), "utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is let go: whoever waits for it then makes its own
        lock.release()


def _make(folder: Path) -> list[Path]:
    """Makes a folder; returns the folders that were missing, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _myself() -> str:
    command = " ".join(["lseg", *sys.argv[1:2]])
    now = datetime.now().isoformat(" ", "minutes")
    return f"{command}, process {os.getpid()} on {socket.gethostname()}, since {now}"


def _holder(path: Path) -> str:
    """Who has a lock, between brackets; empty where that cannot be read."""
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" ({text[:200]})" if text else ""
