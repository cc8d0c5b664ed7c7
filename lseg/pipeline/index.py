"""The index of a run: a line of JSON a picture, kept so that no kill loses more than a picture."""

import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from lseg.files import atomic_file
from lseg.pipeline.entry import Entry


class Index:
    """`<command>.index.jsonl` in the folder of the results.

    While a run goes on, every process appends to a file of its own in the hidden folder
    `.<command>.index`, so that none waits for another, and file systems without locks do. `fold`
    brings all together.
    """

    def __init__(self, folder: Path, command: str) -> None:
        """Nothing is read or written yet."""
        self.path = folder / f"{command}.index.jsonl"
        self.parts = folder / f".{command}.index"

    def fold(self) -> None:
        """Makes one file of all, with the last row of each picture; no process may be writing."""
        if not self.parts.is_dir():
            return
        latest = {entry.id: entry for entry in self.entries()}
        if latest:
            with atomic_file(self.path) as partial, partial.open("w", encoding="ascii") as file:
                file.writelines(f"{latest[key].to_json()}\n" for key in sorted(latest))
        shutil.rmtree(self.parts, ignore_errors=True)  # a process that was stopped may linger

    def entries(self) -> Iterator[Entry]:
        """All rows, the older ones of a picture before the newer ones."""
        for path in self._files():
            with path.open("rb") as file:
                found = (Entry.from_json(line) for line in file)
                yield from (entry for entry in found if entry is not None)

    def known(self, ids: Iterable[str]) -> dict[str, Entry]:
        """The last row of each of these pictures that has one."""
        wanted = set(ids)
        return {entry.id: entry for entry in self.entries() if entry.id in wanted}

    def journal(self) -> "Journal":
        """A new one, for this process."""
        return Journal(self)

    def _files(self) -> list[Path]:
        parts = self.parts.glob("*.jsonl") if self.parts.is_dir() else ()
        older = sorted(parts, key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [self.path, *older] if self.path.is_file() else older


class Journal:
    """One process's rows of a run."""

    def __init__(self, index: Index) -> None:
        """The file is made with the first row."""
        self.path = index.parts / f"{uuid.uuid4().hex}.jsonl"

    def add(self, entry: Entry) -> None:
        """Appends a row; the operating system has it when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as file:
            file.write(f"{entry.to_json()}\n".encode("ascii"))

    def flush(self) -> None:
        """Nothing is held back."""
