"""Tables that list pictures: Parquet files, and datasets of Lance."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lseg.data.base.remote import RemoteFile, is_remote, remote_system
from lseg.errors import ConfigError, ImageError
from lseg.paths import user_path
from lseg.pipeline.rows import PictureFile, Row

URI_COLUMNS = ("uri", "path", "url")
"""In which a table says where pictures are: the first of these that it has."""


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
    columns = _columns(source, table.schema_arrow.names)
    yield from _listed(source, columns, table.iter_batches(columns=columns), keep_folders)


def lance_rows(source: str, keep_folders: bool) -> Iterator[Row]:
    """The pictures that a dataset of Lance lists; relative paths start at its folder."""
    try:
        import lance
    except ImportError as error:
        raise ConfigError(f'{source} needs Lance: pip install "lseg[lance]"') from error
    source = source.rstrip("/")
    try:
        table = lance.dataset(source if is_remote(source) else str(user_path(source, ImageError)))
    except (OSError, ValueError) as error:
        raise ImageError(f"{source} cannot be read as Lance: {error}") from error
    columns = _columns(source, table.schema.names)
    yield from _listed(source, columns, table.to_batches(columns=columns), keep_folders)


def _columns(source: str, names: Sequence[str]) -> list[str]:
    """The column that says where pictures are, and `id` where there is one.

    Raises:
        ImageError: If there is none.
    """
    column = next((name for name in URI_COLUMNS if name in names), None)
    if column is None:
        raise ImageError(
            f"{source} has the columns {', '.join(names)}: one of {', '.join(URI_COLUMNS)} must "
            "say where the pictures are"
        )
    return [column, *(["id"] if "id" in names else [])]


def _listed(
    source: str, columns: Sequence[str], batches: Iterable[Any], keep_folders: bool
) -> Iterator[Row]:
    folder = source.rpartition("/")[0] or "."
    for batch in batches:
        for row in batch.to_pylist():
            uri = str(row[columns[0]]).removeprefix("file://")
            place = uri if is_remote(uri) or not is_remote(source) else f"{folder}/{uri}"
            file = RemoteFile(place) if is_remote(place) else Path(folder) / place
            below = keep_folders and not is_remote(uri) and _stays_below(uri)
            yield named_row(file, uri if below else PurePosixPath(uri).name, row.get("id"))


def named_row(file: PictureFile, source: str, name: object = None) -> Row:
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
