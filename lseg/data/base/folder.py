"""Pictures and masks in the folders in which a data set is published.

This is what an adaptor of `lseg.data.sets` fills in, and the one place where a picture and its mask
are read together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lseg.data.base.images import load_image
from lseg.errors import DataError
from lseg.paths import is_file

BACKGROUND = -1
"""Mask value of pixels that belong to no class of the set."""

IGNORE = -2
"""Mask value of pixels without a label (PASCAL's 255: object borders); no class can have it."""


class AnnotatedImage(NamedTuple):
    """A picture, RGB, and its mask, (H, W) int16: a class index, `BACKGROUND` or `IGNORE`."""

    image: Image.Image
    mask: np.ndarray


class AnnotatedFolder(ABC):
    """Pictures with masks, as a data set's publisher lays them out.

    A stem identifies a picture and its mask, such as `2007_000033`.

    Attributes:
        name: Of the data set.
        layout: The folders that are expected, for messages.
        classes: Class names; mask values index them.
        upright: Turn pictures as their EXIF orientation says. The masks of the public benchmarks
            lie over the pixels as stored.
    """

    name: str
    layout: str
    classes: tuple[str, ...]
    upright: bool = False

    @property
    @abstractmethod
    def stems(self) -> Sequence[str]:
        """The pictures, in the order of the set.

        Raises:
            DataError: If there are none.
        """

    @abstractmethod
    def image_path(self, stem: str) -> Path:
        """Return where a picture lies."""

    @abstractmethod
    def mask_path(self, stem: str) -> Path:
        """Return the file that its mask is read from."""

    @abstractmethod
    def decode_mask(self, stem: str) -> np.ndarray:
        """Turn the values of a file that exists into those of an `AnnotatedImage`.

        Raises:
            DataError, ImageError: If the file is unreadable or has unknown values.
        """

    def listed(self, stem: str) -> str:
        """Say where the set names a picture, for messages."""
        return "which the list names"

    def image(self, stem: str) -> Image.Image:
        """Return a picture, RGB.

        Raises:
            DataError, ImageError: If its file is missing or unreadable.
        """
        return load_image(self._existing(self.image_path(stem), stem), self.upright)

    def mask(self, stem: str) -> np.ndarray:
        """Return a mask; see `AnnotatedImage`.

        Raises:
            DataError, ImageError: If its file is missing, unreadable or has unknown values.
        """
        self._existing(self.mask_path(stem), stem)
        return self.decode_mask(stem)

    def read(self, stem: str) -> AnnotatedImage:
        """Return a picture and its mask, of one size.

        Raises:
            DataError, ImageError: As `image` and `mask`, or if the two differ in size.
        """
        return self.fit(stem, self.image(stem), self.mask(stem))

    def fit(self, stem: str, image: Image.Image, mask: np.ndarray) -> AnnotatedImage:
        """Lay a mask over its picture.

        Raises:
            DataError: If the two differ in size.
        """
        height, width = mask.shape
        if image.size != (width, height):
            raise DataError(
                f"{stem}: image {image.width}x{image.height}, mask {width}x{height} pixels (width "
                f"x height); {self.image_path(stem)} and {self.mask_path(stem)} must agree"
            )
        return AnnotatedImage(image, mask)

    def _existing(self, path: Path, stem: str) -> Path:
        if not is_file(path):
            raise DataError(
                f"{path}, {self.listed(stem)}, does not exist.\nExpected: {self.layout}"
            )
        return path


def published_root(root: Path, name: str) -> Path:
    """Return the set's own folder, whether `root` is that folder or the one around it."""
    return root / name if (root / name).is_dir() else root


def label_mask(mask: np.ndarray, ignore_index: int, background: bool = False) -> Tensor:
    """Return the mask of an `AnnotatedImage` as label indices, (H, W) int64.

    Args:
        mask: Class indices, `BACKGROUND` or `IGNORE`.
        ignore_index: What `IGNORE` becomes.
        background: Label 0 is the background's, i + 1 that of class i; else i that of class i,
            and `BACKGROUND` is not expected.
    """
    values = torch.from_numpy(mask).long()
    return (values + background).masked_fill(values == IGNORE, ignore_index)
