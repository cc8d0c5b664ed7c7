"""Where the files of a run go: what is written there, and what is there already."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from lseg.pipeline.entry import OutputFile
from lseg.pipeline.step import Finish

Write = Callable[[Path], Finish]
"""Writes files below a local folder, each whole or not at all."""

Settle = Callable[[], tuple[OutputFile, ...]]
"""As `Finish`; also brings the files to their place, and tells what they hold."""


class Outputs(Protocol):
    """A place for results; picklable."""

    def put(self, write: Write) -> Settle:
        """Has files written, which when they are settled are there under their names."""
        ...

    def holds(self, files: Iterable[OutputFile], verify: bool) -> bool:
        """Whether all are there in their size, and if asked for with their content."""
        ...


class LocalOutputs:
    """A folder that every process of the run sees."""

    def __init__(self, folder: Path) -> None:
        """It need not exist yet."""
        self.folder = folder

    def put(self, write: Write) -> Settle:
        """See `Outputs`."""
        finish = write(self.folder)
        return lambda: tuple(OutputFile.of(self.folder, name) for name in finish())

    def holds(self, files: Iterable[OutputFile], verify: bool) -> bool:
        """See `Outputs`."""
        return all(self._holds(file, verify) for file in files)

    def _holds(self, file: OutputFile, verify: bool) -> bool:
        try:
            if verify:
                return OutputFile.of(self.folder, file.name) == file
            return (self.folder / file.name).stat().st_size == file.bytes
        except OSError:
            return False
