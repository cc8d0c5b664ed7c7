"""What visitors have taught: each one's own, bounded, and forgotten."""

import secrets
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

from lseg.demo.limits import Limits
from lseg.demo.words import DemoLabelEncoder
from lseg.errors import LabelError
from lseg.inference.encoding import EncodedPicture
from lseg.inference.memory import Memory
from lseg.memory.examples import Example, Examples
from lseg.memory.file import Owner, save_examples
from lseg.memory.marks import Marks
from lseg.models.lseg import LSeg
from lseg.text.question import Question


class Taught:
    """The examples of one visitor; threads may share it."""

    def __init__(self, memory: Memory, owner: Owner, most: int) -> None:
        """`owner` is that of `memory`, which may get up to `most` examples."""
        self._memory, self._owner, self._most = memory, owner, most
        self._lock = Lock()
        self._last: tuple[tuple[str, ...], int, Question] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many examples there are of each label, in alphabetical order."""
        with self._lock:
            return dict(sorted(Counter(one.label for one in self._memory.examples).items()))

    def add(self, encoded: EncodedPicture, marks: Marks, label: str, source: str) -> None:
        """One more example; see `Memory.add_encoded`.

        Raises:
            ImageError: If the marks do not lie in the picture.
            LabelError: If there is no room for it.
        """
        with self._lock:
            if len(self._memory.examples) >= self._most:
                raise LabelError(
                    f"there are {self._most} examples, as many as are kept here: forget a label, "
                    "or download them and go on with `lseg memory add`"
                )
            self._memory.add_encoded(encoded, marks, label, source)

    def join(self, examples: Sequence[Example]) -> None:
        """More examples, all of them or none.

        Raises:
            LabelError: If there is no room for them.
        """
        with self._lock:
            held = self._memory.examples
            both = {(one.label, one.key) for one in (*held, *examples)}
            if len(both) > self._most:
                raise LabelError(
                    f"with these there would be {len(both)} examples, {self._most} are kept here: "
                    "forget a label first"
                )
            for example in examples:
                held.add(example)

    def remove(self, label: str) -> None:
        """Forgets a label.

        Raises:
            LabelError: If it has no example.
        """
        with self._lock:
            self._memory.remove(label)

    def question(self, words: DemoLabelEncoder, labels: Sequence[str]) -> Question:
        """What pixels are asked; the last question is kept, as its examples are fitted."""
        with self._lock:
            examples = self._memory.examples
            key = tuple(labels), examples.changes
            if self._last is None or self._last[:2] != key:
                self._last = *key, words.question(labels, self._memory)
            return self._last[2]

    def file(self) -> bytes:
        """The examples as `lseg predict --memory` takes them."""
        with self._lock:
            held = Examples(self._memory.examples)  # with the room that `lseg memory` gives
        with tempfile.TemporaryDirectory(prefix="lseg-demo-memory-") as folder:
            path = Path(folder) / "memory.safetensors"
            save_examples(path, held, self._owner)
            return path.read_bytes()


@dataclass
class _Visitor:
    taught: Taught
    session: str | None
    until: float  # seconds of the clock


class Visitors:
    """Memories of visitors, each known by a key that cannot be guessed; threads may share it.

    A memory is forgotten some time after it was used last, sooner once its page has been left, and
    when too many others have come since.
    """

    def __init__(
        self,
        model: LSeg,
        size: int,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nobody yet. `size` is as for `Memory`; `clock` gives seconds."""
        self._model, self._size, self._clock = model, size, clock
        self.limits = limits
        self._lock = Lock()
        self._kept: OrderedDict[str, _Visitor] = OrderedDict()

    def __len__(self) -> int:
        """How many memories there are."""
        return len(self._kept)

    @cached_property
    def owner(self) -> Owner:
        """The model that all of them are of; a hash of all weights, so that it is kept."""
        return Memory(self._model, self._size).owner

    def begin(self, session: str | None = None) -> tuple[str, Taught]:
        """A new memory with its key, of a page's session if it has one."""
        limits, owner = self.limits, self.owner
        width = 2 * (owner.embed_dim + sum(owner.levels))  # float16
        room = max(2 * limits.examples, limits.memory_bytes // width)
        taught = Taught(
            Memory(self._model, self._size, Examples(limit=room)), owner, limits.examples
        )
        key = secrets.token_urlsafe(32)
        until = self._clock() + limits.idle
        with self._lock:
            self._kept[key] = _Visitor(taught, session, until)
            while len(self._kept) > limits.memories:
                self._kept.popitem(last=False)
        return key, taught

    def find(self, key: str) -> Taught | None:
        """What this visitor has taught; None if there is no such memory, or no longer."""
        self.sweep()
        with self._lock:
            visitor = self._kept.get(key)
            if visitor is None:
                return None
            visitor.until = self._clock() + self.limits.idle
            self._kept.move_to_end(key)
            return visitor.taught

    def find_or_begin(self, key: str, session: str | None = None) -> tuple[str, Taught]:
        """The memory of this key, or a new one under another: visitors choose no keys."""
        taught = self.find(key)
        return self.begin(session) if taught is None else (key, taught)

    def leave(self, session: str) -> None:
        """A page was closed, or a telephone went to its camera: its memory has not much longer."""
        soon = self._clock() + self.limits.grace
        with self._lock:
            for visitor in self._kept.values():
                if visitor.session == session:
                    visitor.until = min(visitor.until, soon)

    def sweep(self) -> None:
        """Forgets those whose time is over."""
        now = self._clock()
        with self._lock:
            for key in [key for key, visitor in self._kept.items() if visitor.until <= now]:
                del self._kept[key]
