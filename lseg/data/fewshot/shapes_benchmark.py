"""The shapes world as a few-shot benchmark: four folds of nine classes, drawn on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.random import default_rng
from PIL import Image

from lseg.data.base.folder import BACKGROUND, AnnotatedImage
from lseg.data.fewshot.folds import Folds, Part
from lseg.data.fewshot.sources import Entry, MaskSource, classes_by_picture
from lseg.data.sets.shapes import (
    CLASSES,
    NUM_FOLDS,
    check_series,
    draw,
    fold_classes,
    seen_classes,
)

VISIBLE = 0.005
"""Share of a picture's pixels that a class needs to be asked for there."""

SHAPES_FOLDS = Folds(
    tuple(tuple(CLASSES.index(name) for name in fold_classes(k)) for k in range(NUM_FOLDS)),
    len(CLASSES),
)

# Pictures of the two parts never coincide, and differ from those of every training seed.
_PART_SEED = {Part.TRAIN: 1, Part.TEST: 2}


class ShapesSource:
    """A `MaskSource` of drawn pictures.

    Training pictures show seen classes alone. Test pictures show all 36, as photographs would, and
    are asked for the held-out ones. A class is an entry where it covers at least `VISIBLE` of the
    picture.
    """

    name = "shapes"
    classes = CLASSES
    offset = 0

    def __init__(
        self,
        fold: int,
        part: Part = Part.TEST,
        length: int = 1000,
        size: int = 128,
        seed: int = 0,
        classes: Sequence[int] | None = None,
    ) -> None:
        """Describe the pictures.

        Args:
            fold: Whose classes are held out, 0 to 3.
            part: Which pictures.
            length: Their number.
            size: Side of a picture in pixels, 32 or more.
            seed: Distinguishes series of pictures; 0 or more.
            classes: Those that entries may name; the seen ones in training, the held-out ones in
                tests by default.

        Raises:
            ConfigError: If a number is out of range.
        """
        check_series(length, size, seed)
        self.part, self.length, self.size, self.seed = part, length, size, seed
        self.drawn = list(CLASSES) if part is Part.TEST else seen_classes(fold)
        self.listed = frozenset(SHAPES_FOLDS.named(fold, part) if classes is None else classes)

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """What can be asked for in which picture; all pictures are drawn to find out."""
        return [
            Entry(index, kind)
            for index in range(self.length)
            for kind in self.visible(index)
            if kind in self.listed
        ]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return self.length

    def files(self, index: int) -> tuple[()]:
        """None: pictures are drawn."""
        return ()

    def stem(self, index: int) -> str:
        """Return the part and the number of a picture."""
        return f"{self.part.value}{self.seed}_{index:06d}"

    def read(self, index: int) -> AnnotatedImage:
        """Draw a picture, RGB, and its mask, (size, size) int16: class indices, or `BACKGROUND`.

        Raises:
            IndexError: If there is no such picture.
        """
        if not 0 <= index < self.length:
            raise IndexError(f"index {index} is not in 0 to {self.length - 1}")
        rng = default_rng([self.seed, _PART_SEED[self.part], 0, index])
        image, mask = draw(rng, self.size, self.drawn)
        numbers = [BACKGROUND, *(CLASSES.index(name) for name in self.drawn)]
        return AnnotatedImage(
            Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))),
            np.array(numbers, np.int16)[mask],
        )

    def present(self, index: int) -> tuple[int, ...]:
        """Return the classes that the entries name for a picture, in ascending order."""
        return self._present.get(index, ())

    def visible(self, index: int) -> list[int]:
        """Return the classes that cover at least `VISIBLE` of a picture, in ascending order."""
        kinds, counts = np.unique(self.read(index).mask, return_counts=True)
        least = VISIBLE * self.size**2
        return [int(kind) for kind in kinds[counts >= least] if kind != BACKGROUND]

    @cached_property
    def _present(self) -> dict[int, tuple[int, ...]]:
        return classes_by_picture(self.entries)


class ShapesBenchmark:
    """The four folds of the shapes world, as a `Benchmark`."""

    folds = SHAPES_FOLDS

    def __init__(
        self, train_length: int = 3000, test_length: int = 1000, size: int = 128, seed: int = 0
    ) -> None:
        """Describe the pictures of all folds.

        Args:
            train_length: Number of training pictures of a fold.
            test_length: Number of test pictures of a fold.
            size: Side of a picture in pixels, 32 or more.
            seed: Distinguishes series of pictures; 0 or more.
        """
        self.length = {Part.TRAIN: train_length, Part.TEST: test_length}
        self.size, self.seed = size, seed

    def open(self, fold: int, part: Part) -> MaskSource:
        """Return the pictures of a fold's part."""
        return ShapesSource(fold, part, self.length[part], self.size, self.seed)
