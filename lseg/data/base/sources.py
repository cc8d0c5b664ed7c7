"""What few-shot benchmarks are made of: pictures with class masks, lists of them, and folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from lseg.errors import ConfigError

BACKGROUND = -1
"""Mask value of pixels that belong to no class of the benchmark."""

IGNORE = -2
"""Mask value of pixels without a label (PASCAL's 255: object borders); no class can have it."""


class Part(Enum):
    """Which of a benchmark's lists."""

    TRAIN = "trn"  # names only classes that the fold does not hold out
    TEST = "val"  # names only classes that it does


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
        ignore: Whether `IGNORE` pixels are taken out of the metric. Where not, masks hold none.
    """

    name: str
    classes: tuple[str, ...]
    offset: int
    ignore: bool

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

    def image(self, index: int) -> Image.Image:
        """Return a picture, RGB.

        Raises:
            DataError, ImageError: If its file is missing or unreadable.
        """
        ...

    def mask(self, index: int) -> np.ndarray:
        """Return a mask, (H, W) int16: class indices from 0, `BACKGROUND` or `IGNORE`.

        Raises:
            DataError, ImageError: If its file is missing, unreadable or has unknown values.
        """
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


@dataclass(frozen=True)
class Folds:
    """Which classes each fold holds out of training.

    Attributes:
        held: For every fold the indices of its held-out classes, ascending.
        classes: Number of classes in all.
    """

    held: tuple[tuple[int, ...], ...]
    classes: int

    def __len__(self) -> int:
        """Return the number of folds."""
        return len(self.held)

    def held_out(self, fold: int) -> tuple[int, ...]:
        """Return the classes that `fold` is tested on.

        Raises:
            ConfigError: If there is no such fold.
        """
        if fold not in range(len(self)):
            raise ConfigError(f"fold {fold!r} does not exist: folds are 0 to {len(self) - 1}")
        return self.held[fold]

    def seen(self, fold: int) -> tuple[int, ...]:
        """Return the classes that stay in training when `fold` is held out.

        Raises:
            ConfigError: If there is no such fold.
        """
        held = set(self.held_out(fold))
        return tuple(index for index in range(self.classes) if index not in held)

    @classmethod
    def blocks(cls, classes: int, folds: int = 4) -> Folds:
        """PASCAL-5i: of 20 classes fold k holds 5k to 5k + 4."""
        size = classes // folds
        return cls(tuple(tuple(range(k * size, (k + 1) * size)) for k in range(folds)), classes)

    @classmethod
    def interleaved(cls, classes: int, folds: int = 4) -> Folds:
        """COCO-20i, and any `pairs` folder: fold k holds k, k + 4, k + 8, and so on."""
        return cls(tuple(tuple(range(k, classes, folds)) for k in range(folds)), classes)

    @classmethod
    def single(cls, classes: int) -> Folds:
        """FSS-1000: one fold of all classes of the test list; training has a list of its own."""
        return cls((tuple(range(classes)),), classes)
