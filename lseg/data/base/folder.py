"""Pictures and masks in the folders in which a data set is published.

This is what an adaptor of `lseg.data.sets` fills in, and the one place where a picture and its mask
are read together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lseg.data.base.decoding import StoredImage, read_orientation, read_size
from lseg.data.base.images import IMAGE_SUFFIXES, load_stored
from lseg.data.base.orientation import (
    Orientation,
    Pixels,
    Placement,
    Size,
    place,
    turned_array,
    turned_size,
)
from lseg.data.base.tar import TarMember
from lseg.errors import DataError
from lseg.paths import is_file

BACKGROUND = -1
"""Mask value of pixels that belong to no class of the set."""

IGNORE = -2
"""Mask value of pixels without a label (PASCAL's 255: object borders); no class can have it."""


class Background(Enum):
    """What a set says of pixels that show none of its classes.

    `NONE`: nothing, they are unlabelled and ignored. `COUNTED`: they are class 0, whose figures
    count. `OTHER`: they are labelled, as no class; evaluation leaves them out, and training may
    ask for them as `other`.
    """

    NONE = "none"
    COUNTED = "counted"
    OTHER = "other"


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
        prompts: What to ask a text encoder for, class by class, synonyms between bars, the usual
            word first; empty where that is the names.
        ignore_value: Value of unlabelled pixels in mask files, if there is one.
        reduce_zero_label: Whether 0 in mask files is no class, so that classes start at 1.
        background: See `Background`.
        orientation: What masks lie over where pictures have an EXIF orientation; their size tells
            by default.
        upright: Whether pictures are turned as it says, with their masks. Where sizes do not tell,
            masks then lie over displayed pixels. The protocols of the public benchmarks read
            pixels as they are stored.
        licence: Under which the set may be used, as its publisher states it; empty if unknown.
        reading: What the meaning of mask files depends on besides their content, if anything:
            what is derived from masks and kept is kept by it.
    """

    name: str
    layout: str
    classes: tuple[str, ...]
    prompts: tuple[str, ...] = ()
    ignore_value: int | None = None
    reduce_zero_label: bool = False
    background: Background = Background.NONE
    orientation: Orientation = "auto"
    upright: bool = False
    licence: str = ""
    reading: str = ""

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

    def image_file(self, stem: str) -> Path | TarMember:
        """What a picture is read from."""
        return self.image_path(stem)

    def mask_file(self, stem: str) -> Path | TarMember:
        """What a mask is read from."""
        return self.mask_path(stem)

    def sources(self, stems: Iterable[str]) -> Iterator[Path | TarMember]:
        """What pictures and their masks are read from."""
        for stem in stems:
            yield self.image_file(stem)
            yield self.mask_file(stem)

    @property
    def notes(self) -> Sequence[str]:
        """What is odd in the set, or was left aside, without being wrong."""
        return ()

    def listed(self, stem: str) -> str:
        """Say where the set names a picture, for messages."""
        return "which the list names"

    def image(self, stem: str) -> StoredImage:
        """Return a picture, RGB, its pixels as they are stored.

        Raises:
            DataError, ImageError: If its file is missing or unreadable.
        """
        return load_stored(self._existing(self.image_file(stem), stem))

    def mask(self, stem: str) -> np.ndarray:
        """Return a mask, its pixels as they are stored; for values see `AnnotatedImage`.

        Raises:
            DataError, ImageError: If its file is missing, unreadable or has unknown values.
        """
        self._existing(self.mask_file(stem), stem)
        return self.decode_mask(stem)

    def mask_tag(self, stem: str) -> int:
        """Return the EXIF orientation of a mask's file; 1 where it has none, as nearly all."""
        path = self.mask_file(stem)
        return read_orientation(path) if path.suffix.lower() in IMAGE_SUFFIXES else 1

    def read(self, stem: str) -> AnnotatedImage:
        """Return a picture and its mask, laid over each other; see `place`.

        Raises:
            DataError, ImageError: As `image` and `mask`, or if the two differ in size.
        """
        return self.fit(stem, self.image(stem), self.mask(stem))

    def fit(self, stem: str, image: StoredImage, mask: np.ndarray) -> AnnotatedImage:
        """Lay a mask over its picture, both as they are stored.

        Raises:
            DataError: If the two differ in size.
        """
        height, width = mask.shape
        picture = Pixels(image.image.size, image.orientation)
        drawn = Pixels((width, height), self.mask_tag(stem))
        placement = place(picture, drawn, self.orientation, self.upright)
        if placement is None:
            raise DataError(self._misfit(stem, picture, drawn))
        turned = StoredImage(image.image, placement.image).displayed()
        return AnnotatedImage(turned, turned_array(mask, placement.mask))

    def placement(self, stem: str) -> Placement | None:
        """How a picture and its mask are laid over each other; None if their sizes differ.

        Where they are image files, their headers tell.

        Raises:
            OSError: If a file is missing or unreadable.
            DataError, ImageError: As `mask`, where the mask is no image file.
        """
        image, mask = self.image_file(stem), self.mask_file(stem)
        picture = Pixels(read_size(image), read_orientation(image))
        tag = self.mask_tag(stem)
        if picture.tag == tag == 1:
            return Placement(1, 1)  # or the sizes differ, which reading the two will say
        if mask.suffix.lower() in IMAGE_SUFFIXES:
            size = read_size(mask)
        else:
            height, width = self.mask(stem).shape
            size = (width, height)
        return place(picture, Pixels(size, tag), self.orientation, self.upright)

    def _misfit(self, stem: str, image: Pixels, mask: Pixels) -> str:
        text = (
            f"{stem}: image {_times(image.size)}, mask {_times(mask.size)} pixels (width x "
            f"height); {self.image_path(stem)} and {self.mask_path(stem)} must agree"
        )
        if image.tag >= 5:
            shown = _times(turned_size(image.size, image.tag))
            text += f". The image is displayed as {shown} (EXIF orientation {image.tag})"
        if self.orientation != "auto":
            text += f", and orientation is {self.orientation!r}: `auto` lets the sizes tell"
        return text

    def _existing(self, path: Path | TarMember, stem: str) -> Path | TarMember:
        if isinstance(path, Path) and not is_file(path):
            raise DataError(
                f"{path}, {self.listed(stem)}, does not exist.\nExpected: {self.layout}"
            )
        return path


def _times(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def published_root(root: Path, name: str) -> Path:
    """Return the set's own folder, whether `root` is that folder or the one around it."""
    return root / name if (root / name).is_dir() else root


def label_mask(mask: np.ndarray, ignore_index: int, background: bool = False) -> Tensor:
    """Return the mask of an `AnnotatedImage` as label indices, (H, W) int64.

    Args:
        mask: Class indices, `BACKGROUND` or `IGNORE`.
        ignore_index: What `IGNORE` becomes.
        background: Label 0 is the background's, i + 1 that of class i; else i that of class i,
            and `BACKGROUND` is left out as well.
    """
    values = torch.from_numpy(mask).long()
    left_out = values == IGNORE if background else values < 0
    return (values + background).masked_fill(left_out, ignore_index)
