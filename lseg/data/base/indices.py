"""Class indices of mask files: the numbers that were stored, not the greys Pillow makes of them."""

from __future__ import annotations

import re

import numpy as np

from lseg.data.base.decoding import StoredImage
from lseg.errors import ImageError

_ACCEPTED = (
    "a mask must have one channel of class indices: grey of 1, 2, 4, 8 or 16 bits, or a palette"
)

# Pillow's layouts of grey samples: bits a sample, I for those whose 0 is white.
_GREY = re.compile(r"(?:L|1)(?:;(\d)?(I?)R?)?")


def index_values(stored: StoredImage, name: str) -> np.ndarray:
    """Return the samples of a mask as they lie in the file, (H, W) uint8 or uint16.

    Pillow spreads 2 and 4 bits of grey over 0-255 (times 85 and 17), inverts what calls 0 white,
    and scales a PGM by its maximum: all that is undone. Palettes' colours do not matter.

    Raises:
        ImageError: If the picture has several channels, float values, or values beyond 16 bits, or
            is a JPEG, whose values are not those that were saved.
    """
    image = stored.image
    if image.format in ("JPEG", "MPO"):
        raise ImageError(f"{name} is a JPEG, which changes values near edges: save masks as PNG")
    if image.mode == "P":
        return np.array(image)
    if image.mode == "1":
        values = np.array(image).astype(np.uint8)
        return values ^ 1 if _zero_is_white(stored.layout) else values
    if image.mode == "L":
        return _grey(np.array(image), stored)
    if image.mode.startswith("I"):
        return _deep(np.asarray(image), stored, name)
    raise ImageError(
        f"{name} is a mask in mode {image.mode}; {_ACCEPTED}. Colours: give their table as "
        "`colors` in the dataset.yaml of a pairs folder, or turn them into indices first"
    )


def packed_colours(stored: StoredImage, name: str) -> np.ndarray:
    """Return a mask's colours as red * 65536 + green * 256 + blue, (H, W) uint32.

    Raises:
        ImageError: If it has deep values, or transparent pixels, whose colour means nothing.
    """
    image = stored.image
    if image.format in ("JPEG", "MPO"):
        raise ImageError(f"{name} is a JPEG, which changes colours near edges: save masks as PNG")
    if image.mode not in ("1", "L", "P", "LA", "PA", "RGB", "RGBA"):
        raise ImageError(f"{name} is a mask in mode {image.mode}; colours have 8 bits a channel")
    if image.mode != "RGB" and image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if alpha.min() < 255:
            raise ImageError(f"{name} has transparent pixels: save masks of colours without alpha")
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.uint32), -1, 0)
    return red << 16 | green << 8 | blue


def _grey(values: np.ndarray, stored: StoredImage) -> np.ndarray:
    if stored.maximum is not None:
        return np.rint(values * (stored.maximum / 255)).astype(np.uint8)
    if _zero_is_white(stored.layout):
        values = 255 - values
    layout = _GREY.fullmatch(stored.layout)
    bits = int(layout[1] or 8) if layout is not None else 8
    return values // (255 // (2**bits - 1))


def _deep(values: np.ndarray, stored: StoredImage, name: str) -> np.ndarray:
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(f"{name} has values outside 0-65535; {_ACCEPTED}")
    if stored.maximum is not None:
        values = np.rint(values * (stored.maximum / 65535))
    return values.astype(np.uint16)


def _zero_is_white(layout: str) -> bool:
    grey = _GREY.fullmatch(layout)
    return grey is not None and grey[2] == "I"
