"""Files that lie elsewhere, on s3:// and the like, by way of fsspec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, NamedTuple

from lseg.data.base.tar import TarMember
from lseg.errors import DataError, LSegError


class HeldFile(NamedTuple):
    """A file whose content is in memory; what `lseg.data.base.decoding` asks of a file's path.

    Attributes:
        uri: Where it lies.
        data: What it holds.
    """

    uri: str
    data: bytes

    def __str__(self) -> str:
        return self.uri

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.uri).name

    @property
    def stem(self) -> str:
        """The name without suffix."""
        return PurePosixPath(self.uri).stem

    @property
    def suffix(self) -> str:
        """The end of its name."""
        return PurePosixPath(self.uri).suffix

    def is_dir(self) -> bool:
        """It is a file."""
        return False

    def read_bytes(self) -> bytes:
        """What it holds."""
        return self.data

    def open(self, mode: Literal["rb"] = "rb") -> IO[bytes]:
        """The content, as a file."""
        return BytesIO(self.data)


class RemoteFile(NamedTuple):
    """A file that is fetched when it is read; nothing is kept open, so it can be sent elsewhere.

    Attributes:
        uri: Where it lies.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def fetched(self) -> HeldFile:
        """The same with its content.

        Raises:
            OSError: If it cannot be had.
        """
        system, path = remote_system(self.uri)
        try:
            return HeldFile(self.uri, system.cat_file(path))
        except FileNotFoundError as error:
            raise FileNotFoundError(2, "there is no such file") from error
        except OSError:
            raise
        except Exception as error:  # stores have errors of their own
            raise OSError(f"{type(error).__name__}: {error}") from error


AnyFile = Path | TarMember | HeldFile
"""Where a picture's bytes are: a file, one in an archive, or one that was fetched."""


def is_remote(source: str) -> bool:
    """Whether a text is the address of a file or folder elsewhere."""
    return "://" in source and not source.startswith("file://")


def remote_system(uri: str) -> tuple[Any, str]:
    """The file system of an address, and the path there.

    Raises:
        DataError: If fsspec knows no such kind, or lacks its package.
    """
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise DataError(f"{uri} cannot be opened: {error}") from error
    return system, path


@contextmanager
def store_errors(uri: str, what: str) -> Iterator[None]:
    """What goes wrong with a store in the block, whose errors are of many kinds, in a line.

    Args:
        uri: What is asked for.
        what: Cannot be done with it: "read" or "written".

    Raises:
        LSegError: In place of all errors but those of this package.
    """
    try:
        yield
    except LSegError:
        raise
    except Exception as error:
        raise LSegError(f"{uri} cannot be {what}: {type(error).__name__}: {error}") from error
