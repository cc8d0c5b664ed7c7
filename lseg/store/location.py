"""Whether the name of a checkpoint is a path or a Hub id, and what a wrong one may have meant."""

import difflib
from collections.abc import Iterable
from pathlib import Path

HUB_SCHEMES = ("hf://", "hf-hub:")
"""Before a Hub id, say that it is one, whatever folders there are; open_clip has the second."""

FILE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".safetensors", ".onnx", ".pt2", ".npz", ".json")


def hub_id(source: str) -> str | None:
    """The Hub id `user/model` that a name is, or None where it looks like a path of this machine.

    It does if it has another form, the suffix of a file, or begins with a folder that is here.
    """
    for scheme in HUB_SCHEMES:
        if source.startswith(scheme):
            return source.removeprefix(scheme)
    parts = source.split("/")
    if len(parts) != 2 or not all(parts) or source.startswith((".", "~")) or "\\" in source:
        return None
    local = source.lower().endswith(FILE_SUFFIXES) or Path(parts[0]).is_dir()
    return None if local else source


def nearest_names(path: Path, names: Iterable[str] = ()) -> str:
    """What is there instead of a path that is not, as the end of a sentence; may be empty.

    Args:
        path: Of a file or folder.
        names: Other names that may have been meant.
    """
    missing = path
    while not missing.parent.is_dir() and missing.parent != missing:
        missing = missing.parent
    try:
        there = sorted(
            entry.name for entry in missing.parent.iterdir() if not entry.name.startswith(".")
        )
    except OSError:
        there = []
    near = difflib.get_close_matches(missing.name, [*names, *there], n=3)
    found = [name if name in names else str(missing.parent / name) for name in near]
    if found:
        return f" (near it: {', '.join(found)})"
    if missing != path:
        return f" ({missing} is not there)"
    return ""
