"""What is kept of the pictures in which a user has shown a label."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from lseg.errors import LabelError

CELLS = 40
"""Vectors that are kept of a label in a picture, and as many of what is not the label there."""

LIMIT = 40_000
"""Vectors that a memory holds; where there would be more, fewer are kept of each example."""


class Vectors(NamedTuple):
    """What the network sees in P cells of its grid.

    Attributes:
        embeddings: (P, C) unit vectors, float16.
        levels: (P, D) the backbone's maps side by side, float16.
    """

    embeddings: Tensor
    levels: Tensor

    def first(self, count: int) -> "Vectors":
        """Up to so many of them."""
        return Vectors(self.embeddings[:count], self.levels[:count])


@dataclass(frozen=True, eq=False)
class Example:
    """A label in a picture.

    Attributes:
        label: What is shown.
        source: What the picture is called.
        key: A hash of the picture and of what is marked in it.
        area: Share of the picture that is marked as the label, in [0, 1].
        shown: Vectors of the label, spread over it: any first few of them are, too.
        rest: Vectors of what is known not to be the label; there may be none.
        sure: Whether that is known. Otherwise, beside points and strokes, they are of what nothing
            is said of.
    """

    label: str
    source: str
    key: str
    area: float
    shown: Vectors
    rest: Vectors
    sure: bool = True

    @property
    def count(self) -> int:
        """Of all its vectors."""
        return len(self.shown.embeddings) + len(self.rest.embeddings)

    def thinned(self, count: int) -> "Example":
        """With up to so many vectors of each kind."""
        return replace(self, shown=self.shown.first(count), rest=self.rest.first(count))


class Examples:
    """Examples of many labels, in an order that does not depend on the order of their coming.

    The same marks in the same picture count once. All in all there are at most `limit` vectors.

    Attributes:
        limit: See there.
        changes: How often something was added or removed.
    """

    def __init__(self, examples: Iterable[Example] = (), limit: int = LIMIT) -> None:
        self.limit = limit
        self.changes = 0
        self._each = CELLS  # vectors of a kind that are kept of an example
        self._held: dict[tuple[str, str], Example] = {}
        for example in examples:
            self.add(example)

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._held[place] for place in sorted(self._held))

    @property
    def labels(self) -> list[str]:
        """In alphabetical order."""
        return sorted({label for label, _ in self._held})

    @property
    def vectors(self) -> int:
        """How many there are of all examples."""
        return sum(example.count for example in self._held.values())

    def of(self, label: str) -> list[Example]:
        """Those of a label."""
        return [example for example in self if example.label == label]

    def add(self, example: Example) -> None:
        """One more, or the same again.

        Raises:
            LabelError: If there is no room for it, however few vectors are kept of each.
        """
        place = example.label, example.key
        count = len(self._held) + (place not in self._held)
        each = min(self._each, self.limit // (2 * count))
        if each == 0:
            raise LabelError(
                f"a memory holds {self.limit // 2} examples at most: remove some, or keep them "
                "in several memories"
            )
        self.changes += 1
        self._held[place] = example.thinned(each)
        if each < self._each:
            self._each = each
            self._held = {place: held.thinned(each) for place, held in self._held.items()}

    def remove(self, label: str) -> int:
        """Forgets a label; returns how many examples it had.

        Raises:
            LabelError: If it had none.
        """
        places = [place for place in self._held if place[0] == label]
        if not places:
            raise LabelError(
                f"there is no example of {label!r} to remove: there are examples of "
                f"{', '.join(map(repr, self.labels)) or 'nothing'}"
            )
        self.changes += 1
        for place in places:
            del self._held[place]
        self._each = min(CELLS, self.limit // (2 * max(1, len(self._held))))
        return len(places)
