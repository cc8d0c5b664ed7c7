"""The pictures of a run: what each is called in its results, and that no two results are one."""

import glob
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from lseg.data.base.images import list_images
from lseg.data.base.remote import AnyFile, HeldFile, RemoteFile
from lseg.data.base.video import VideoFrame
from lseg.errors import ImageError
from lseg.paths import user_path

PictureFile = AnyFile | RemoteFile | VideoFrame
"""Where a picture is read."""


@dataclass(frozen=True)
class Row:
    """A file that a run makes results of.

    Attributes:
        path: The file.
        source: What results call it: its name, or with `--keep-folders` its path below the common
            folder of the run, with slashes.
        name: Path of its results below `--out`, without their endings.
    """

    path: PictureFile
    source: str
    name: str

    @property
    def file(self) -> Path:
        """The path of a plain file, as rows of other things than pictures have."""
        assert isinstance(self.path, Path)
        return self.path

    @classmethod
    def of(cls, path: Path, folder: Path | None = None) -> "Row":
        """A file, by its name alone or its path below a folder."""
        source = PurePath(path.name)
        if folder is not None:
            source = _absolute(path).relative_to(_absolute(folder))
        name = source.as_posix()  # of "..png" the stem is ".", which is no name to Python
        return cls(path, name, name.removesuffix(path.suffix))


def file_rows(sources: Sequence[str], keep_folders: bool) -> list[Row]:
    """The pictures that files, folders, patterns and lists name, in order.

    With `keep_folders` a folder is taken with its subfolders, and names start at the longest
    common folder of what is named: folders, patterns up to their first wildcard, and the folders
    of pictures.

    Raises:
        ImageError: If one is missing, or there is none.
    """
    if not keep_folders:
        return [Row.of(path) for path in _pictures(sources)]
    given = [user_path(source, ImageError) for source in sources]
    trees = [tree_pattern(path) if path.is_dir() else path for path in given]
    images = _pictures(trees)
    named = [fixed_part(path) for path in given if not path.is_file()]
    folder = common_folder([*named, *(path.parent for path in images)])
    return [Row.of(path, folder) for path in images]


def tree_pattern(folder: Path) -> str:
    """What matches the files of a folder and its subfolders, but for hidden ones."""
    return f"{glob.escape(str(folder))}{os.sep}**"


def common_folder(folders: Iterable[Path]) -> Path:
    """The longest folder that all of these lie in, or are; absolute, links as they are."""
    return Path(os.path.commonpath({_absolute(folder) for folder in folders}))


def _pictures(sources: Iterable[str | Path]) -> list[Path]:
    """The pictures that are named, each once: `b/../a.jpg` is `a.jpg`."""
    found: dict[PurePath, Path] = {}
    for path in list_images(sources):
        found.setdefault(_absolute(path), path)
    return list(found.values())


def _absolute(path: Path) -> PurePath:
    """A path without `..`; unlike Path.resolve it leaves links as they were named."""
    return PurePath(os.path.abspath(path))  # noqa: PTH100


def check_results(
    rows: Sequence[Row],
    endings: Iterable[str],
    out: Path,
    inputs: Iterable[Path] | None = None,
    own: Iterable[str] = (),
) -> None:
    """Makes sure that no result would replace another, or a file that is read.

    Args:
        rows: Of a run.
        endings: What follows a row's name in the names of its results.
        out: The folder of the results.
        inputs: What is read; the files of the rows by default.
        own: Other files that the run writes into `out`.

    Raises:
        ImageError: If one would; it names both.
    """
    endings = list(endings)
    owners = _owners(rows, lambda row: [f"{row.name}{ending}" for ending in endings])
    for name in own:
        if name in owners:
            raise ImageError(f"{owners[name].path} would write {name}, as the run does: rename it")
    folder = out.resolve()
    results = {folder / name for name in owners}
    parents: dict[Path, Path] = {}
    read = (row.path for row in rows) if inputs is None else inputs
    for path in (path for path in read if isinstance(path, Path)):
        if path.parent not in parents:
            parents[path.parent] = path.parent.resolve()
        if not results.isdisjoint({parents[path.parent] / path.name, path.resolve()}):
            raise ImageError(f"{path} would be overwritten by a result: give another --out")


def check_sources(rows: Iterable[Row]) -> None:
    """Makes sure that a file with the results of all pictures can tell them apart.

    Raises:
        ImageError: If two have the same name.
    """
    _owners(rows, lambda row: [row.source])


def _owners(rows: Iterable[Row], names: Callable[[Row], Sequence[str]]) -> dict[str, Row]:
    """The row of each name, which no other may have."""
    owners: dict[str, Row] = {}
    for row in rows:
        for name in names(row):
            owner = owners.setdefault(name, row)
            if owner is not row:
                here = str(owner.path).rpartition("/")[0] == str(row.path).rpartition("/")[0]
                raise ImageError(
                    f"{owner.path} and {row.path} would both be {name} in the results: "
                    f"{'rename one' if here else 'give --keep-folders'}, or run them apart, with "
                    "another --out"
                )
    return owners


def at_hand(file: PictureFile) -> AnyFile:
    """A picture's file, fetched if it lies elsewhere, or in a video.

    Raises:
        ImageError: If it cannot be had.
    """
    try:
        if isinstance(file, VideoFrame):
            return HeldFile(str(file), file.picture())
        return file.fetched() if isinstance(file, RemoteFile) else file
    except OSError as error:
        raise ImageError(f"{file} cannot be read: {error.strerror or error}") from error


def content_of(file: AnyFile) -> tuple[int, str]:
    """Size of a picture's file and the SHA-256 of its content.

    Raises:
        ImageError: If it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()  # type: ignore[arg-type]
            return opened.seek(0, os.SEEK_END), digest
    except OSError as error:
        raise ImageError(f"{file} cannot be read: {error.strerror or error}") from error


def fixed_part(pattern: Path) -> Path:
    """The folder of a pattern before its first wildcard; of a folder, itself."""
    if pattern.is_dir():
        return pattern
    return next(path for path in pattern.parents if not glob.has_magic(str(path)))
