"""Files that appear whole or not at all."""

import json
import os
import re
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lseg.errors import CheckpointError


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.partial{path.suffix}")
    try:
        yield partial
        partial.chmod(0o666 & ~_umask())  # some writers leave files that only their owner can read
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def clear_partials(folder: Path, stems: Collection[str]) -> None:
    """Deletes what killed runs left of files with these stems; nobody else may be writing them."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        found = re.fullmatch(r"\.(.+)\.[0-9a-f]{8}\.partial(\..*)?", path.name)
        if found and found[1] in stems:
            path.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file that belongs to a checkpoint.

    Raises:
        CheckpointError: If the file cannot be read, or holds no object.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return values


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def write_json(path: str | os.PathLike[str], values: Any) -> None:
    """Indented JSON, written whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
