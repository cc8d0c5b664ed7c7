"""One process of a run: pictures in, files and rows of the index out."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lseg.errors import LSegError
from lseg.inference.prefetch import Picture, read_ahead
from lseg.pipeline.behind import Behind
from lseg.pipeline.entry import Entry, OutputFile, settings_hash
from lseg.pipeline.index import Index, Journal
from lseg.pipeline.loop import BROKEN
from lseg.pipeline.outputs import LocalOutputs, Outputs
from lseg.pipeline.remote import RemoteIndex, RemoteJournal, RemoteOutputs
from lseg.pipeline.rows import Row, at_hand, content_of
from lseg.pipeline.step import Source, Step


@dataclass(frozen=True)
class Place:
    """Where the results of a run go, and what is asked of those that are there.

    Attributes:
        folder: For files and index; for copies, if they go to an address.
        command: Whose index it is.
        resume: Whether finished pictures are left as they are.
        verify: Whether the content of their files is compared with the index, not just the size.
        address: Of a folder elsewhere, such as `s3://bucket/results`.
    """

    folder: Path
    command: str
    resume: bool = True
    verify: bool = False
    address: str | None = None

    @property
    def index(self) -> Index | RemoteIndex:
        """What became of the pictures."""
        if self.address is not None:
            return RemoteIndex(self.address, self.folder, self.command)
        return Index(self.folder, self.command)

    @property
    def outputs(self) -> Outputs:
        """Where files go."""
        if self.address is not None:
            return RemoteOutputs(self.address)
        return LocalOutputs(self.folder)


@dataclass(frozen=True)
class Loaded:
    """A picture that is to be done.

    Attributes:
        source: Its file.
        picture: Decoded.
        seconds: That reading took.
    """

    source: Source
    picture: Picture
    seconds: float


class Done(NamedTuple):
    """A picture's row of the index, and whether it was there already."""

    entry: Entry
    kept: bool


@dataclass
class Worker:
    """Does pictures one after another.

    Attributes:
        place: Where results go.
        step: What is made of a picture.
        versions: For the index.
    """

    place: Place
    step: Step[Any]
    versions: dict[str, str]
    settings: str = field(init=False)
    journal: Journal | RemoteJournal = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is written yet."""
        self.settings = settings_hash(self.step.settings)
        self.journal = self.place.index.journal()

    def read(self, row: Row, known: Entry | None) -> Entry | Loaded:
        """Reads a picture; if it was done before, that row of the index.

        Raises:
            ImageError: If it cannot be read.
        """
        start = time.perf_counter()
        file = at_hand(row.path)
        source = Source(row, *content_of(file))
        done = self._finished(source, known) if self.place.resume else None
        if done is not None:
            return done
        picture = self.step.decode(file)
        return Loaded(source, picture, time.perf_counter() - start)

    def begin(self, read: Loaded) -> Callable[[], Entry]:
        """Makes a picture's files.

        Returns:
            What settles them, and makes the row of the index; for another thread to call.

        Raises:
            LSegError: If something is wrong that other pictures would not mend; so may what is
                returned.
        """
        start = time.perf_counter()
        source = read.source
        answer = self.step.answer(read.picture)
        with _told_of(source):
            settle = self.place.outputs.put(
                lambda folder: self.step.writer.write(folder, source, answer)
            )
        seconds = read.seconds + time.perf_counter() - start

        def finish() -> Entry:
            start = time.perf_counter()
            with _told_of(source):
                files = settle()
            return self._entry(source, files, seconds + time.perf_counter() - start)

        return finish

    def entries(self, tasks: Iterable[tuple[Row, Entry | None]]) -> Iterator[Done]:
        """Does pictures, each given with what the index says of it; a broken one is a row too.

        Returns:
            Their rows of the index, in order.

        Raises:
            LSegError: As `begin`; what had been begun is finished, and in the index.
        """
        found: deque[Done] = deque()
        with Behind(found.append) as behind:
            for (row, _), read in read_ahead(tasks, lambda task: self.read(*task)):
                behind.add(self._task(row, read))
                while found:
                    yield found.popleft()
        yield from found
        self.journal.flush()

    def _task(self, row: Row, read: Callable[[], Entry | Loaded]) -> Callable[[], Done]:
        """What is left to be done of a picture when the network is done with it."""
        try:
            loaded = read()
            if isinstance(loaded, Entry):
                return lambda: Done(loaded, True)
            finish = self.begin(loaded)
            return lambda: Done(finish(), False)
        except BROKEN as error:
            broken = error
            return lambda: Done(self.fail(row, broken), False)

    def fail(self, row: Row, error: Exception) -> Entry:
        """The row of the index of a broken picture."""
        found = Entry(
            row.name, str(row.path), None, None, (), 0.0, str(error), self.settings, self.versions
        )
        self.journal.add(found)
        return found

    def _finished(self, source: Source, known: Entry | None) -> Entry | None:
        """The row of a picture whose files are there, made of this content in this very way."""
        if known is not None and not known.made_from(source.sha256, self.settings):
            known = None
        if known is not None and not self.place.outputs.holds(known.files, self.place.verify):
            return None
        if self.step.finished is None or self.place.address is not None:
            return known
        names = self.step.finished(self.place.folder, source)
        if names is None:
            return None
        if known is not None and [file.name for file in known.files] == list(names):
            return known
        files = tuple(OutputFile.of(self.place.folder, name) for name in names)
        return self._entry(source, files, 0.0)  # of a version without index, or a killed run

    def _entry(self, source: Source, files: tuple[OutputFile, ...], seconds: float) -> Entry:
        row = source.row
        found = Entry(
            row.name, str(row.path), source.bytes, source.sha256, files, round(seconds, 4), None,
            self.settings, self.versions,
        )  # fmt: skip
        self.journal.add(found)
        return found


@contextmanager
def _told_of(source: Source) -> Iterator[None]:
    """Names the picture in errors that do not."""
    try:
        yield
    except BROKEN:
        raise
    except LSegError as error:
        raise type(error)(f"{source.row.path}: {error}") from error
