"""Results on s3:// and the like: files are made here, and stored there when they are whole."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lseg.data.base.remote import remote_system, store_errors
from lseg.pipeline.entry import Entry, OutputFile
from lseg.pipeline.index import Index
from lseg.pipeline.outputs import LocalOutputs, Settle, Write

ROWS_HELD = 16
"""Rows of the index that are stored together; a process that is killed loses no more."""


class RemoteOutputs:
    """See `Outputs`; an object of a store appears whole or not at all."""

    def __init__(self, address: str) -> None:
        """Takes the address of a folder, which need not exist."""
        self.address = address

    def put(self, write: Write) -> Settle:
        """See `Outputs`; to settle raises an LSegError if a file cannot be stored."""
        folder = TemporaryDirectory(prefix="lseg-")
        try:
            told = LocalOutputs(Path(folder.name)).put(write)
        except BaseException:
            folder.cleanup()
            raise

        def settle() -> tuple[OutputFile, ...]:
            with folder:
                files = told()
                for file in files:
                    store(Path(folder.name, file.name), f"{self.address}/{file.name}")
                return files

        return settle

    def holds(self, files: Iterable[OutputFile], verify: bool) -> bool:
        """See `Outputs`."""
        return all(self._holds(file, verify) for file in files)

    def _holds(self, file: OutputFile, verify: bool) -> bool:
        system, path = remote_system(f"{self.address}/{file.name}")
        try:
            if not verify:
                return bool(system.size(path) == file.bytes)
            with TemporaryDirectory(prefix="lseg-") as folder:
                system.get_file(path, str(Path(folder, "file")))
                found = OutputFile.of(Path(folder), "file")
                return (found.bytes, found.sha256) == (file.bytes, file.sha256)
        except Exception:  # stores have errors of their own; what cannot be read is made again
            return False


class RemoteIndex:
    """As `Index`, at an address: it is read and folded in a folder here."""

    def __init__(self, address: str, folder: Path, command: str) -> None:
        """Nothing is read yet.

        Args:
            address: Of the results.
            folder: Here, for copies.
            command: Whose index it is.
        """
        self.address, self.here = address, Index(folder, command)
        self.parts = f"{address}/{self.here.parts.name}"
        self.file = f"{address}/{self.here.path.name}"

    def fold(self) -> None:
        """See `Index`."""
        parts = self._fetch()
        if not parts:
            return
        self.here.fold()
        store(self.here.path, self.file)
        for part in parts:
            system, path = remote_system(part)
            system.rm_file(path)

    def known(self, ids: Iterable[str]) -> dict[str, Entry]:
        """See `Index`."""
        self._fetch()
        return self.here.known(ids)

    def journal(self) -> "RemoteJournal":
        """A new one."""
        return RemoteJournal(self)

    def _fetch(self) -> list[str]:
        """Brings what is there here; the addresses of the parts.

        Raises:
            LSegError: If that is not possible.
        """
        with store_errors(self.address, "read"):
            system, path = remote_system(self.file)
            if system.exists(path):
                self.here.path.parent.mkdir(parents=True, exist_ok=True)
                system.get_file(path, str(self.here.path))
            system, folder = remote_system(self.parts)
            if not system.exists(folder):
                return []
            found = sorted(system.ls(folder, detail=False, refresh=True))
            self.here.parts.mkdir(parents=True, exist_ok=True)
            for part in found:
                system.get_file(part, str(self.here.parts / part.rpartition("/")[2]))
            return [system.unstrip_protocol(part) for part in found]


class RemoteJournal:
    """As `Journal`: an object for every few rows."""

    def __init__(self, index: RemoteIndex) -> None:
        """Nothing is stored yet."""
        self._index = index
        self._local = index.here.journal()
        self._rows: list[Entry] = []
        self._stored = 0

    def add(self, entry: Entry) -> None:
        """Takes a row."""
        self._rows.append(entry)
        if len(self._rows) >= ROWS_HELD:
            self.flush()

    def flush(self) -> None:
        """Stores the rows that were taken since the last time.

        Raises:
            LSegError: If that is not possible.
        """
        if not self._rows:
            return
        text = "".join(f"{entry.to_json()}\n" for entry in self._rows)
        name = f"{self._local.path.stem}-{self._stored:08}.jsonl"
        address = f"{self._index.parts}/{name}"
        with store_errors(address, "written"):
            system, path = remote_system(address)
            make_folder(system, path)
            system.pipe_file(path, text.encode("ascii"))
        self._stored += 1
        self._rows.clear()


def store(file: Path, address: str) -> None:
    """Stores a file at an address.

    Raises:
        LSegError: If that is not possible.
    """
    with store_errors(address, "written"):
        system, path = remote_system(address)
        make_folder(system, path)
        system.put_file(str(file), path)


def make_folder(system: Any, path: str) -> None:
    """Makes the folder of a path, where a store has such."""
    system.makedirs(path.rpartition("/")[0], exist_ok=True)
