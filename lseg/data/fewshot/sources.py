"""What few-shot benchmarks are made of: pictures with class masks, and lists of what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from lseg.data.base.fingerprint import File
from lseg.data.base.folder import AnnotatedFolder, AnnotatedImage
from lseg.data.fewshot.splits import Line


class Entry(NamedTuple):
    """A line of a list: a picture, and a class that can be asked for there (both indices)."""

    picture: int
    class_index: int


class MaskSource(Protocol):
    """Pictures with masks of one benchmark, and the list of what to ask for in them.

    Attributes:
        name: Of the benchmark, such as `pascal5i`.
        classes: Class names in the benchmark's order and the original's spelling.
        offset: The benchmark's number of a class is its index in `classes` plus this; 0 but for
            FSS-1000, where each list has classes of its own (0, 520, 760).
    """

    name: str
    classes: tuple[str, ...]
    offset: int

    @property
    def entries(self) -> Sequence[Entry]:
        """The list, in its own order; it may name a picture several times.

        A mask may show classes that no entry names: too small ones, or those of other folds.
        """
        ...

    def __len__(self) -> int:
        """Return the number of pictures."""
        ...

    def stem(self, index: int) -> str:
        """Return what identifies a picture, such as `2007_000033`; unique in the source."""
        ...

    def read(self, index: int) -> AnnotatedImage:
        """Return a picture with its mask.

        A mask holds `IGNORE` only where the benchmark leaves unlabelled pixels out of its metric.

        Raises:
            DataError, ImageError: If a file is missing or unreadable, the sizes differ, or the mask
                has unknown values.
        """
        ...

    def files(self, index: int) -> Iterable[File]:
        """Return what a picture and its mask are read from; nothing where they are drawn."""
        ...

    def present(self, index: int) -> tuple[int, ...]:
        """Return the classes that the entries name for a picture, in ascending order."""
        ...


def classes_by_picture(entries: Sequence[Entry]) -> dict[int, tuple[int, ...]]:
    """The classes that entries name for each picture, ascending; what `present` answers from."""
    found: dict[int, set[int]] = {}
    for picture, class_index in entries:
        found.setdefault(picture, set()).add(class_index)
    return {picture: tuple(sorted(classes)) for picture, classes in found.items()}


class ListedSource:
    """Pictures of a folder that a list names; a `MaskSource`."""

    def __init__(self, folder: AnnotatedFolder, lines: Sequence[Line], offset: int = 0) -> None:
        """Number the pictures in the order in which the lines first name them.

        Args:
            folder: Where they are.
            lines: The list.
            offset: See `MaskSource`.
        """
        self.folder = folder
        self.name, self.classes, self.offset = folder.name, folder.classes, offset
        self.stems = list(dict.fromkeys(line.stem for line in lines))
        numbers = {stem: number for number, stem in enumerate(self.stems)}
        self.entries = [Entry(numbers[line.stem], line.class_index) for line in lines]
        self._present = classes_by_picture(self.entries)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.stems)

    def stem(self, index: int) -> str:
        """See `MaskSource`."""
        return self.stems[index]

    def read(self, index: int) -> AnnotatedImage:
        """See `MaskSource`."""
        return self.folder.read(self.stems[index])

    def files(self, index: int) -> Iterable[File]:
        """See `MaskSource`."""
        return self.folder.sources([self.stems[index]])

    def present(self, index: int) -> tuple[int, ...]:
        """See `MaskSource`."""
        return self._present[index]
