"""Which classes a benchmark's folds hold out, and the two parts that this leaves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lseg.errors import ConfigError


class Part(Enum):
    """Which of a benchmark's lists; the values are HSNet's names of their folders."""

    TRAIN = "trn"  # names only classes that the fold does not hold out
    TEST = "val"  # names only classes that it does

    @property
    def split(self) -> str:
        """The published split whose pictures the list names, `train` or `val`."""
        return "train" if self is Part.TRAIN else "val"


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

    def named(self, fold: int, part: Part) -> tuple[int, ...]:
        """Return the classes that the list of a part may name: held-out ones in tests, else seen.

        Raises:
            ConfigError: If there is no such fold.
        """
        return self.held_out(fold) if part is Part.TEST else self.seen(fold)

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
