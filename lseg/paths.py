"""Where things lie on a user's machine."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from lseg.errors import LSegError, escaped, shown

ASSETS = Path(__file__).parent / "assets"

_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def user_path(path: str | os.PathLike[str], kind: type[LSegError] = LSegError) -> Path:
    """A path as a user gives it, to be read or written; a leading `~` is the home folder.

    A shell leaves the `~` of `--out=~/maps` alone, and so do configuration files.

    Raises:
        LSegError: Of this kind, if no file can have that name: it is no text, is too long, or holds
            a null character; or if it is that of something special, see `refuse_special`.
    """
    if not isinstance(path, str | os.PathLike):
        raise kind(f"{shown(path)} is no path: give the name of a file or folder")
    found, text = expanded(path), shown(os.fspath(path))
    for place in (
        found,
        *map(Path, found.parts),
    ):  # each by itself, for what is behind a missing folder
        _refuse_impossible(place, text, kind)
    refuse_special(found, kind)
    return found


def _refuse_impossible(place: Path, text: str, kind: type[LSegError]) -> None:
    try:
        place.stat()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):  # the latter is what Windows says
            raise kind(f"{text} is no path: {error.strerror}. Give a file or folder") from None
    except ValueError as error:
        raise kind(f"{text} is no path: {error}. Give a file or folder") from None


def is_special(path: str | os.PathLike[str]) -> str | None:
    """What a path leads to that is neither a file nor a folder, such as "a pipe"; else None."""
    try:
        return _SPECIAL.get(stat.S_IFMT(os.stat(path).st_mode))  # noqa: PTH116
    except (OSError, ValueError):
        return None


def refuse_special(path: Path, kind: type[LSegError]) -> None:
    """Refuses pipes, sockets and devices: some never end, others make whoever opens them wait.

    What is written would take the place of one.

    Raises:
        LSegError: Of this kind, if the path leads to one.
    """
    special = is_special(path)
    if special is not None:
        raise kind(
            f"'{escaped(str(path))}' is {special}, no file or folder: write what comes out of it "
            "into a file, and give that"
        )


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with the home folder in place of a leading `~`; left as it is where there is none."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's own raises without a home


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is such a file; False for what cannot be a path at all."""
    return os.path.isfile(path)  # noqa: PTH113  # Path's own raises for names over 255 characters


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is such a file or folder; False for what cannot be a path at all."""
    return os.path.exists(path)  # noqa: PTH110  # as for `is_file`


def cache_dir() -> Path:
    """Return the folder of derived files that can be made again: `LSEG_CACHE`, `~/.cache/lseg`.

    It need not exist, and may be one that cannot be written: whoever keeps something there does
    without where that fails.
    """
    if named := os.environ.get("LSEG_CACHE"):
        return expanded(named)
    common = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    if common.parts[:1] == ("~",):  # an account without a home, as in some containers
        return Path(os.devnull) / "lseg"
    return common / "lseg"


def data_root() -> Path:
    """Return the folder that relative data paths start from: `LSEG_DATA`, else `./data`."""
    return expanded(os.environ.get("LSEG_DATA") or "data")


def resolve_data_path(path: str | os.PathLike[str], *beside: Path | None) -> Path:
    """Return where a data file or folder lies, so that one config serves several machines.

    An absolute path is returned as it is. A relative one is looked up in the folders `beside`, in
    their order, then under `data_root()`, then in the working directory. A path found in none is
    returned as under `data_root()`: the error that its reader then raises names the place where
    the data is expected.

    Args:
        path: What a user or a file gives.
        beside: Folders of the file that gives it.

    Raises:
        LSegError: If it can be no path; see `user_path`.
    """
    path = user_path(path)
    under_root = data_root() / path  # an absolute path on the right replaces the left one
    places = [folder / path for folder in beside if folder is not None]
    return next((place for place in (*places, under_root, path) if exists(place)), under_root)
