"""A row of the index of a run: what became of a picture."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self


class OutputFile(NamedTuple):
    """A file that a picture's answer became.

    Attributes:
        name: Its path below the folder of the results, with slashes.
        bytes: How many it holds.
        sha256: Of its content.
    """

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, name: str) -> Self:
        """The file as it lies below a folder."""
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(name, file.tell(), digest)


@dataclass(frozen=True)
class Entry:
    """A row of the index.

    Attributes:
        id: Which picture: the path of its results below their folder, without endings.
        path: Where it was read.
        source_bytes: Size of its file; None if it could not be read.
        source_sha256: Of that file's content.
        files: What it became; none if it was broken.
        seconds: That decoding, network and writing took.
        error: Why it was broken, in words.
        settings: Hash of all that decides over the files, but for the picture.
        versions: Of this package and of those that its results depend on.
    """

    id: str
    path: str
    source_bytes: int | None
    source_sha256: str | None
    files: tuple[OutputFile, ...]
    seconds: float
    error: str | None
    settings: str
    versions: dict[str, str]

    def to_json(self) -> str:
        """A line of JSON, of ASCII alone: names of files need be no UTF-8."""
        values = asdict(self) | {"files": [file._asdict() for file in self.files]}
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str | bytes) -> Self | None:
        """Reads a line; None if it is no whole one, as where a process was killed."""
        try:
            values: dict[str, Any] = json.loads(line)
            files = tuple(OutputFile(**file) for file in values.pop("files"))
            return cls(**values, files=files)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def made_from(self, source_sha256: str, settings: str) -> bool:
        """Whether the files were made of this very content in this very way."""
        made = self.error is None and bool(self.files)
        return made and (self.source_sha256, self.settings) == (source_sha256, settings)


def settings_hash(settings: dict[str, Any]) -> str:
    """A hash of settings, which are what JSON can hold."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
