"""What a run does with each picture, the same on every engine: decode, network, write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from lseg.data.base.remote import AnyFile
from lseg.inference.prefetch import Picture
from lseg.pipeline.rows import Row

Finish = Callable[[], Sequence[str]]
"""Ends the writing of a picture's files, and tells their names below their folder.

Called once, by whatever thread: the network need not wait for a disk.
"""

AnswerT = TypeVar("AnswerT")
WrittenT = TypeVar("WrittenT", contravariant=True)


class Source(NamedTuple):
    """A picture's file as it was read, for results that tell of it.

    Attributes:
        row: What it is called.
        bytes: Its size.
        sha256: Of its content.
    """

    row: Row
    bytes: int
    sha256: str


class Writer(Protocol[WrittenT]):
    """What a picture's answer becomes: named files.

    Attributes:
        endings: What follows a picture's name in the names of its files.
    """

    @property
    def endings(self) -> Sequence[str]: ...  # noqa: D102

    def write(self, folder: Path, source: Source, answer: WrittenT) -> Finish:
        """Writes the files below a folder, each whole or not at all.

        What the network's device is needed for is done now, and the rest may be left to what is
        returned.

        The bytes depend on the source, the answer and the settings of the run alone, so that it
        does not matter who writes them, or how often. A file that vouches for the others comes
        last, in time and among the names.
        """
        ...


@dataclass(frozen=True)
class Step(Generic[AnswerT]):
    """What is made of a picture, in one process.

    Attributes:
        decode: Reads its file; threads do it, ahead of the network.
        answer: Runs the network.
        writer: Makes files of what that says.
        settings: All that decides over the files, but for the picture; JSON can hold it.
        finished: The files of an earlier run, in the folder of the results, that vouch for
            themselves; None if there are none. Without this function the index alone tells.
    """

    decode: Callable[[AnyFile], Picture]
    answer: Callable[[Picture], AnswerT]
    writer: Writer[AnswerT]
    settings: dict[str, Any]
    finished: Callable[[Path, Source], Sequence[str] | None] | None = None


class Job(Protocol):
    """A run's step before it has a network: picklable, to be sent to where it is done."""

    def step(self) -> Step[Any]:
        """Loads the network, and makes the step that uses it."""
        ...
