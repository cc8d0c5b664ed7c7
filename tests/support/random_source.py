"""A benchmark of random masks in memory."""

import numpy as np
from PIL import Image

from lseg.data.base.folder import BACKGROUND, IGNORE, AnnotatedImage
from lseg.data.fewshot.folds import Folds, Part
from lseg.data.fewshot.sources import Entry, classes_by_picture


class RandomSource:
    """Masks with every class of six, background and ignored pixels, in stripes of random order."""

    name = "random"
    classes = ("cat", "dog", "cow", "owl", "pig", "hen")
    offset = 0

    def __init__(self, seen, length=8, seed=0):
        rng = np.random.default_rng(seed)
        values = [BACKGROUND, IGNORE, *range(6)]
        self.masks = [np.repeat(rng.permutation(values), 5)[:, None] for _ in range(length)]
        self.masks = [np.tile(mask, (1, 24)).astype(np.int16) for mask in self.masks]
        self.entries = [Entry(index, kind) for index in range(length) for kind in seen]
        self._present = classes_by_picture(self.entries)

    def __len__(self):
        return len(self.masks)

    def stem(self, index):
        return f"picture{index}"

    def read(self, index):
        """The red channel holds the mask, so that image and mask can be compared."""
        red = (self.masks[index] + 2) * 20
        image = Image.fromarray(np.stack([red, 0 * red, 0 * red], -1).astype(np.uint8))
        return AnnotatedImage(image, self.masks[index])

    def files(self, index):
        return ()

    def present(self, index):
        return self._present[index]


class RandomBenchmark:
    def __init__(self, folds: int = 3):
        self.folds = Folds.interleaved(6, folds)

    def open(self, fold, part):
        test = part is Part.TEST
        kinds = self.folds.held_out(fold) if test else self.folds.seen(fold)
        return RandomSource(kinds or range(6), seed=10 * fold + test)
