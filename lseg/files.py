"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from lseg.errors import CheckpointError, OutputError
from lseg.parsing import parse_json
from lseg.paths import refuse_special, user_path

if TYPE_CHECKING:
    from torch import Tensor

_TORCH_WRITER = re.compile("StreamWriter|inline_container")

LONGEST_STEM = 200
"""Bytes of a name that fit into a temporary one; file systems take 255 for the whole."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""What a disk says that takes no more. NumPy says no number, only what it has written."""


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends without an error.

    Raises:
        LSegError: If `path` can be none; see `user_path`.
        OutputError: If the disk takes no more; what was there before stays.
    """
    path = user_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stem = _fitting(path.stem)
    partial = path.with_name(f".{stem}.{uuid.uuid4().hex[:8]}.partial{path.suffix}")
    try:
        yield partial
        partial.chmod(0o666 & ~_UMASK)  # some writers leave files that only their owner can read
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        reason = why_unwritten(error)
        if reason is None:
            raise
        raise OutputError(
            f"{path} cannot be written: {reason}. What was there before is still whole; make room, "
            "and give the command again"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def why_unwritten(error: Exception) -> str | None:
    """What a full disk or the like says through an error; None for an error of another kind."""
    if isinstance(error, SafetensorError):  # it has no class for the disk's
        return str(error).rpartition("I/O error: ")[2].partition(" (os error")[0]
    if not isinstance(error, OSError):
        return None
    if error.errno is None:
        return f"the disk takes no more ({error})"
    return error.strerror if error.errno in NO_ROOM else None


def save_torch(value: Any, path: Path) -> None:
    """`torch.save`, which has no class of its own for the errors of a disk.

    Raises:
        OSError: If not all of it could be written.
    """
    import torch

    try:
        with path.open("wb") as file:  # given a name, torch would put it into the file
            torch.save(value, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        if not _TORCH_WRITER.search(str(error)):  # such as a worker's death, told wherever we are
            raise
        raise OSError(errno.EIO, str(error).splitlines()[0]) from error


def clear_partial_files(folder: Path, stems: Collection[str]) -> None:
    """Deletes what killed runs left of files with these stems; nobody else may be writing them."""
    if not folder.is_dir():
        return
    fitting = {_fitting(stem) for stem in stems}
    for path in folder.iterdir():
        found = re.fullmatch(r"\.(.+)\.[0-9a-f]{8}\.partial(\..*)?", path.name)
        if found and found[1] in fitting:
            path.unlink(missing_ok=True)


def _fitting(stem: str) -> str:
    """The stem, or a short one that stands for it."""
    name = os.fsencode(stem)
    if len(name) <= LONGEST_STEM:
        return stem
    return hashlib.sha256(name).hexdigest()[:32]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file that belongs to a checkpoint.

    Raises:
        CheckpointError: If the file cannot be read, or holds no object.
    """
    refuse_special(path, CheckpointError)
    try:
        values = parse_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return values


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a `.safetensors` file of moderate size; its path need be no UTF-8.

    Raises:
        SafetensorError, OSError: If it is none, or cannot be read.
    """
    from safetensors.torch import load  # and torch with it

    data = path.read_bytes()  # `safe_open` refuses paths that are no UTF-8
    tensors = load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return tensors, header.get("__metadata__", {})


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


_UMASK = _umask()  # at import: in a thread it would be another's for a moment


def write_json(path: str | os.PathLike[str], values: Any) -> None:
    r"""Indented JSON in UTF-8, written whole or not at all.

    Bytes of file names that are no UTF-8, which Python holds as lone surrogates, become escapes
    of JSON (`\udce9` for 0xE9): `json.loads` and `os.fsencode` give back the name.
    """
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    with atomic_file(path) as partial:
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))
