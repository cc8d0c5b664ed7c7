"""EXIF orientation: turning pixels, and deciding which pixels of a picture its mask lies over.

Cameras store pixels as the sensor gives them, with a tag that tells how the picture is displayed:
1 as it is, 2 mirrored, 3 turned by 180°, 4 upside down, 5 to 8 with rows and columns exchanged.
Some annotation programs draw masks over the displayed picture, others over the stored pixels.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

Orientation = Literal["auto", "displayed", "stored"]
"""What the masks of a set lie over: `auto` lets the sizes of both files tell."""

Size = tuple[int, int]

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

UNDONE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""The tag that turns back what a tag turns."""


def check_tag(value: object) -> int:
    """Return an EXIF orientation, 1 to 8; other values ask for nothing, as 1 does."""
    return value if isinstance(value, int) and value in UNDONE else 1


def turned(image: Image.Image, tag: int) -> Image.Image:
    """Return stored pixels as an EXIF orientation displays them."""
    return image if tag == 1 else image.transpose(_TURNS[tag])


def turned_array(pixels: np.ndarray, tag: int) -> np.ndarray:
    """As `turned`, of an array (H, W)."""
    if tag == 1:
        return pixels
    if tag >= 5:
        pixels = pixels.T
    if tag in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if tag in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def turned_size(size: Size, tag: int) -> Size:
    """Width and height that `turned` gives."""
    return size if tag < 5 else (size[1], size[0])


class Pixels(NamedTuple):
    """Size and EXIF orientation of a picture's or a mask's stored pixels."""

    size: Size
    tag: int = 1


class Placement(NamedTuple):
    """How a picture and its mask are laid over each other.

    Attributes:
        image: EXIF orientation by which the stored pixels of the picture are turned.
        mask: That of the mask.
        ambiguous: Whether sizes alone did not tell, and another placement gives other labels.
    """

    image: int
    mask: int
    ambiguous: bool = False


def place(image: Pixels, mask: Pixels, orientation: Orientation, upright: bool) -> Placement | None:
    """Decide how a mask lies over its picture.

    Either both files are taken as displayed, each by its own tag, or both as stored. The sizes
    tell which of the two; where both fit, it is displayed pixels if `upright`, else stored ones. A
    mask whose tag fits neither way is taken as stored, over the displayed picture: programs copy
    the tag of the picture into masks that they have drawn upright.

    Args:
        image: Of the picture.
        mask: Of the mask.
        orientation: `displayed` or `stored` to decide without the sizes.
        upright: Whether the result is the displayed picture also where the mask lies over stored
            pixels; both are then turned.

    Returns:
        None if the sizes do not fit.
    """
    displayed, stored = Placement(image.tag, mask.tag), Placement(1, 1)
    candidates = {
        "auto": [displayed, stored] if upright else [stored, displayed],
        "displayed": [displayed],
        "stored": [stored],
    }[orientation]
    fitting = [candidate for candidate in candidates if _fits(candidate, image, mask)]
    if not fitting and orientation != "stored":
        fitting = [stray for stray in [Placement(image.tag, 1)] if _fits(stray, image, mask)]
    if not fitting:
        return None
    chosen = fitting[0]
    if chosen is stored and upright:
        chosen = Placement(image.tag, image.tag)
    return chosen._replace(ambiguous=len(fitting) > 1 and image.tag != mask.tag)


def _fits(placement: Placement, image: Pixels, mask: Pixels) -> bool:
    return turned_size(image.size, placement.image) == turned_size(mask.size, placement.mask)
