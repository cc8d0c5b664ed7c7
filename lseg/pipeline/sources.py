"""The pictures of a run that are no plain files: in tar shards, listed in tables, on s3://."""

import glob
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from lseg.data.base.formats import IMAGE_SUFFIXES
from lseg.data.base.remote import RemoteFile, is_remote, remote_system, store_errors
from lseg.data.base.tar import read_index
from lseg.errors import ImageError
from lseg.paths import user_path
from lseg.pipeline.rows import Row, file_rows
from lseg.pipeline.sequences import ALL_FRAMES, Frames, is_video, video_rows
from lseg.pipeline.tables import lance_rows, named_row, parquet_rows


def picture_rows(
    sources: Sequence[str], keep_folders: bool, frames: Frames = ALL_FRAMES
) -> list[Row]:
    """The pictures that sources name: plain files, folders, patterns and lists first, in order.

    Then the frames of videos; then, in the order in which they are given: tar archives (`.tar`),
    whose members are pictures; Parquet files (`.parquet`) and Lance datasets (`.lance`) with a
    column `uri`, `path` or `url`, and perhaps `id`, what results are called; and addresses of
    files, folders and patterns that fsspec opens, such as `s3://bucket/folder`.

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
    for ending, reader in ((".parquet", parquet_rows), (".lance", lance_rows)):
        if source.rstrip("/").endswith(ending):
            return reader
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
                yield named_row(member, inside if keep_folders else member.name)


def remote_rows(source: str, keep_folders: bool) -> Iterator[Row]:
    """The pictures at an address: a file, those in a folder, or those that match a pattern."""
    system, path = remote_system(source)
    with store_errors(source, "read"):
        if glob.has_magic(path):
            found, top = system.glob(path), re.split(r"[^/]*[*?[]", path)[0]
        elif system.isfile(path):
            found, top = [path], path
        elif system.isdir(path):
            deep = keep_folders
            found, top = (system.find(path) if deep else system.ls(path, detail=False)), path
        else:
            raise ImageError(f"there is no file or folder {source}")
    for name in sorted(found):
        picture = PurePosixPath(name)
        if picture.suffix.lower() in IMAGE_SUFFIXES and not picture.name.startswith("."):
            below = name.removeprefix(top).strip("/") if keep_folders else ""
            yield named_row(RemoteFile(system.unstrip_protocol(name)), below or picture.name)
