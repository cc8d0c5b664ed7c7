"""Pictures of every mode as 8-bit RGB; what is not exact is said."""

from __future__ import annotations

import warnings

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import SAMPLESPERPIXEL

from lseg.data.base.decoding import decoding
from lseg.errors import ImageError, LSegWarning

_TWELVE_BITS = 4095


def to_rgb(image: Image.Image, name: str) -> Image.Image:
    """Return a decoded picture as 8-bit RGB.

    Palettes and greyscale become RGB, transparency is laid over white, LAB goes through its own
    colour space. Deep greyscale is scaled from its full range: 65535 becomes 255, or 4095 does
    where no value is higher (12 bits, as many cameras store them). Of more than three bands that
    Pillow reads as RGB the first three are taken; CMYK is mixed without a colour profile.

    Warns:
        LSegWarning: Of 12 bits, further bands and CMYK.

    Raises:
        ImageError: If values are float, or integers beyond 16 bits, or the mode is unknown.
    """
    with decoding(name):
        if image.mode == "RGB":
            _note_bands(image)
            return image
        if image.mode == "F":
            raise ImageError(
                f"{name} holds float values, whose range is unknown: save it with 8 bits a channel"
            )
        if image.mode.startswith("I"):
            return _from_deep(np.asarray(image), name)
        if image.mode == "LAB":
            lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
            assert converted is not None  # as it is not in place
            return converted
        if image.mode == "CMYK":
            _note("CMYK pictures are turned into RGB without their colour profile")
        if image.has_transparency_data:
            canvas = Image.new("RGBA", image.size, "white")
            canvas.alpha_composite(image.convert("RGBA"))
            return canvas.convert("RGB")
        return image.convert("RGB")


def _from_deep(values: np.ndarray, name: str) -> Image.Image:
    """Return grey values of 12 or 16 bits, (H, W) integers, as RGB."""
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(f"{name} holds integers outside 0-65535: save it with 8 bits a channel")
    white = 65535
    if values.max() <= _TWELVE_BITS:
        white = _TWELVE_BITS
        _note(
            "16-bit pictures without a value above 4095 are read as 12 bits: 4095 is white. Save "
            "them with 8 bits if that is not so"
        )
    return Image.fromarray(np.rint(values / (white / 255)).astype(np.uint8)).convert("RGB")


def _note_bands(image: Image.Image) -> None:
    """Say that bands were left out, as Pillow does of some TIFFs."""
    tags = getattr(image, "tag_v2", {})
    bands = tags.get(SAMPLESPERPIXEL, 3)
    if bands > 3:
        _note(f"of TIFFs of {bands} bands the first three are taken as red, green and blue")


def _note(text: str) -> None:
    """Warn in words that do not name the picture, so that a run says it once."""
    warnings.warn(text, LSegWarning, stacklevel=2)
