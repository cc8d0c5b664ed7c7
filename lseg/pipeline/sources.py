"""The pictures of a run that are no plain files: in tar shards, listed in Parquet, on s3://."""

import glob
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from lseg.data.base.formats import IMAGE_SUFFIXES
from lseg.data.base.remote import RemoteFile, is_remote, remote_system
from lseg.data.base.tar import read_index
from lseg.errors import ConfigError, ImageError
from lseg.paths import user_path
from lseg.pipeline.rows import PictureFile, Row, file_rows
from lseg.pipeline.sequences import ALL_FRAMES, Frames, is_video, video_rows

URI_COLUMNS = ("uri", "path", "url")
"""In which a Parquet file says where pictures are: the first of these that it has."""


def picture_rows(
    sources: Sequence[str], keep_folders: bool, frames: Frames = ALL_FRAMES
) -> list[Row]:
    """The pictures that sources name: plain files, folders, patterns and lists first, in order.

    Then the frames of videos; then, in the order in which they are given: tar archives (`.tar`),
    whose members are pictures; Parquet files (`.parquet`) with a column `uri`, `path` or `url`, and
    perhaps `id`, what results are called; and addresses of files, folders and patterns that fsspec
    opens, such as `s3://bucket/folder`.

    With `keep_folders` results keep the folders of their pictures: plain ones as `file_rows` has
    it, members those of their archive, others those below the folder that is named.

    Raises:
        ImageError: If one is missing, or there is none.
        DataError: If an archive is damaged, or a kind of address unknown.
        ConfigError: If a package is lacking.
    """
    local = [source.removeprefix("file://") for source in sources]
    plain = [source for source in local if _kind(source) is None]
    videos = [source for source in plain if is_video(source)]
    plain = [source for source in plain if source not in videos]
    rows = file_rows(plain, keep_folders) if plain or not local else []
    rows += video_rows(videos, keep_folders) if videos else []
    for source in local:
        kind = _kind(source)
        if kind is not None:
            found = list(kind(source, keep_folders))
            if not found:
                raise ImageError(f"no picture in {source}")
            rows += found
    return frames.of(rows)


Reader = Callable[[str, bool], Iterator[Row]]


def _kind(source: str) -> Reader | None:
    """What reads a source that is no plain file or folder."""
    if source.endswith(".parquet"):
        return parquet_rows
    if is_remote(source):
        return remote_rows
    return tar_rows if source.endswith(".tar") else None


def tar_rows(source: str, keep_folders: bool) -> Iterator[Row]:
    """The pictures in an archive, or in those that a pattern names."""
    path = user_path(source, ImageError)
    archives = sorted(glob.glob(str(path))) if glob.has_magic(str(path)) else [str(path)]
    for archive in archives:
        for member in read_index(Path(archive)):
            if member.suffix.lower() in IMAGE_SUFFIXES and not member.name.startswith("."):
                inside = f"{Path(archive).name}/{member.member.removeprefix('./')}"
                yield _row(member, inside if keep_folders else member.name)


def remote_rows(source: str, keep_folders: bool) -> Iterator[Row]:
    """The pictures at an address: a file, those in a folder, or those that match a pattern."""
    system, path = remote_system(source)
    if glob.has_magic(path):
        found, top = system.glob(path), re.split(r"[^/]*[*?[]", path)[0]
    elif system.isfile(path):
        found, top = [path], path
    elif system.isdir(path):
        found, top = (system.find(path) if keep_folders else system.ls(path, detail=False)), path
    else:
        raise ImageError(f"there is no file or folder {source}")
    for name in sorted(found):
        picture = PurePosixPath(name)
        if picture.suffix.lower() in IMAGE_SUFFIXES and not picture.name.startswith("."):
            below = name.removeprefix(top).strip("/") if keep_folders else ""
            yield _row(RemoteFile(system.unstrip_protocol(name)), below or picture.name)


def parquet_rows(source: str, keep_folders: bool) -> Iterator[Row]:
    """The pictures that a Parquet file lists; relative paths start at its folder."""
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ConfigError(f"{source} needs pyarrow: pip install pyarrow") from error
    try:
        if is_remote(source):
            system, path = remote_system(source)
            table = pq.ParquetFile(system.open(path, "rb"))
        else:
            table = pq.ParquetFile(user_path(source, ImageError))
    except (OSError, ValueError) as error:
        raise ImageError(f"{source} cannot be read as Parquet: {error}") from error
    names = table.schema_arrow.names
    column = next((name for name in URI_COLUMNS if name in names), None)
    if column is None:
        raise ImageError(
            f"{source} has the columns {', '.join(names)}: one of {', '.join(URI_COLUMNS)} must "
            "say where the pictures are"
        )
    folder = source.rpartition("/")[0] or "."
    columns = [column, *(["id"] if "id" in names else [])]
    for batch in table.iter_batches(columns=columns):
        for row in batch.to_pylist():
            uri = str(row[column]).removeprefix("file://")
            place = uri if is_remote(uri) or not is_remote(source) else f"{folder}/{uri}"
            file = RemoteFile(place) if is_remote(place) else Path(folder) / place
            below = keep_folders and not is_remote(uri) and _stays_below(uri)
            yield _row(file, uri if below else PurePosixPath(uri).name, row.get("id"))


def _row(file: PictureFile, source: str, name: object = None) -> Row:
    """A picture by what results call it."""
    if name is None:
        return Row(file, source, PurePosixPath(source).with_suffix("").as_posix())
    if not _stays_below(str(name)):
        raise ImageError(f"{file} has the id {name!r}: give a path below --out, without ..")
    return Row(file, source, str(name))


def _stays_below(name: str) -> bool:
    """Whether a path leads into a folder, wherever that is."""
    path = PurePosixPath(name)
    return name not in ("", ".") and not path.is_absolute() and ".." not in path.parts
