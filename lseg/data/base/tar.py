"""Files inside tar archives, read at random: an index says where each lies."""

from __future__ import annotations

import hashlib
import os
import tarfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, NamedTuple

from lseg.errors import DataError, LSegError
from lseg.files import read_json, write_json
from lseg.paths import cache_dir


class TarMember(NamedTuple):
    """A file in an archive; what `lseg.data.base.decoding` asks of a file's path.

    Nothing is kept open, so that worker processes share nothing.

    Attributes:
        archive: The archive.
        member: Its name there.
        offset: Where its bytes begin.
        size: How many they are.
    """

    archive: Path
    member: str
    offset: int
    size: int

    def __str__(self) -> str:
        """The member below the archive, as if that were a folder."""
        return str(self.archive / self.member)

    @property
    def name(self) -> str:
        """The last part of the member's name."""
        return PurePosixPath(self.member).name

    @property
    def stem(self) -> str:
        """The name without suffix."""
        return PurePosixPath(self.member).stem

    @property
    def suffix(self) -> str:
        """The end of the name."""
        return PurePosixPath(self.member).suffix

    def is_dir(self) -> bool:
        """An archive's folders are not indexed."""
        return False

    def read_bytes(self) -> bytes:
        """What the file holds.

        Raises:
            OSError: If the archive is gone, or shorter than it was.
        """
        with self.archive.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise OSError(f"{self.archive} ends within {self.member}")
        return data

    def open(self, mode: Literal["rb"] = "rb") -> IO[bytes]:
        """The content, as a file."""
        return BytesIO(self.read_bytes())


def read_index(archive: Path) -> list[TarMember]:
    """Return the files of an archive in their order.

    To find them its headers are read once, one after another; where they lie is kept in the cache.

    Raises:
        DataError: If it is missing, compressed, damaged or no archive.
    """
    try:
        status = archive.stat()
        kept = cache_dir() / "shards" / f"{_key(archive, status)}.json"
        with suppress(LSegError, KeyError, TypeError, ValueError):
            return [TarMember(archive, *entry) for entry in read_json(kept)["members"]]
        members = _scan(archive)
    except OSError as error:
        raise DataError(f"{archive} cannot be read: {error.strerror or error}") from error
    except tarfile.TarError as error:
        raise DataError(
            f"{archive} is no plain tar archive: {error}. Unpack a compressed one (gunzip): "
            "only a plain one can be read at random"
        ) from error
    with suppress(OSError, LSegError):  # a cache that cannot be written is done without
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, {"archive": str(archive), "members": [entry[1:] for entry in members]})
    return members


def _scan(archive: Path) -> list[TarMember]:
    with tarfile.open(archive, "r:") as tar:
        return [
            TarMember(archive, entry.name, entry.offset_data, entry.size)
            for entry in tar
            if entry.isreg() and not entry.issparse()
        ]


def _key(archive: Path, status: os.stat_result) -> str:
    parts: tuple[Any, ...] = (archive.resolve(), status.st_size, status.st_mtime_ns)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
