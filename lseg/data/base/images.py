"""Reading pictures and index masks; every way in which a file can be wrong has one clear error."""

from __future__ import annotations

import glob
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lseg.data.base.text_files import read_text
from lseg.errors import ImageError, shown
from lseg.paths import is_file, user_path

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""Which files of a folder are taken for pictures."""

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})

# What Pillow's decoders raise on damaged files.
_DECODING = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


def load_image(
    source: str | os.PathLike[str] | Image.Image | np.ndarray, upright: bool = True
) -> Image.Image:
    """Return a picture as 8-bit RGB, turned as its EXIF orientation says.

    Palettes and greyscale become RGB, transparency is laid over white, and 16-bit greyscale is
    scaled from its full range (65535 becomes 255).

    Args:
        source: A path, a PIL image, or an (H, W, 3) uint8 array in RGB order.
        upright: Heed the EXIF orientation; benchmarks' masks lie over the pixels as stored.

    Raises:
        ImageError: If the file is missing, unreadable or truncated, or the array is of another
            type or shape.
    """
    turn = _upright if upright else _as_stored
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _to_rgb(turn(_decoded(source, "the picture")), "the picture")
    if isinstance(source, str | os.PathLike):
        return _to_rgb(turn(_open(user_path(source, ImageError))), str(source))
    raise ImageError(
        f"{type(source).__name__} is no picture: give a path, a PIL image, or an (H, W, 3) uint8 "
        "array in RGB order"
    )


def load_mask(path: str | Path) -> np.ndarray:
    """Return an index mask, (H, W) uint8: the numbers in the file, never the palette's colours.

    Raises:
        ImageError: If the file is missing, unreadable, or not an 8-bit single-channel image.
    """
    mask = _open(user_path(path, ImageError))
    if mask.mode not in ("L", "P"):
        raise ImageError(
            f"{path} is a mask in mode {mask.mode}; a mask must have one 8-bit channel (mode L or "
            "P) that holds class indices. Colour-coded masks must be turned into indices first"
        )
    return np.array(mask)


def load_indices(path: str | Path) -> np.ndarray:
    """Return a map of indices, (H, W) int64, as any program may write it: 1, 8 or 16 bits a pixel.

    Raises:
        ImageError: If the file is missing or unreadable, or has several channels.
    """
    image = _open(Path(path))
    if image.mode not in ("1", "L", "P", "I") and not image.mode.startswith("I;16"):
        raise ImageError(
            f"{path} is a picture in mode {image.mode}; a label map must have one channel of 8 or "
            "16 bits that holds class indices. Colours must be turned into indices first"
        )
    return np.asarray(image).astype(np.int64)


def load_grey(path: str | Path) -> np.ndarray:
    """Return an image as grey levels, (H, W) uint8; colours by ITU-R 601 luma, as Pillow does.

    Raises:
        ImageError: If the file is missing or unreadable.
    """
    return np.array(_open(user_path(path, ImageError)).convert("L"))


def list_images(sources: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the pictures that files, folders and glob patterns name: sorted, each once.

    Of a folder the files with a suffix of `IMAGE_SUFFIXES` are taken, without those of its
    subfolders (`folder/**` reaches them). A text file (`.txt`) names a picture a line, relative to
    its own folder.

    Raises:
        ImageError: If a file is missing or a video, or a folder or a pattern holds no picture.
    """
    if isinstance(sources, str | Path):
        sources = [sources]
    found: set[Path] = set()
    for source in sources:
        path = user_path(source, ImageError)
        if path.is_file():  # before the pattern: "[1].jpg" may be a name
            found.update(_listed(path) if path.suffix.lower() == ".txt" else [path])
            continue
        if path.is_dir():
            candidates = list(path.iterdir())
        elif glob.has_magic(str(path)):
            # not Path.glob, which takes no absolute pattern
            matches = glob.iglob(str(path), recursive=True)
            candidates = [Path(match) for match in matches]
        else:
            raise ImageError(f"there is no file or folder {source}")
        pictures = [p for p in candidates if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        if not pictures:
            raise ImageError(
                f"no picture in {source}: looked for files ending in "
                f"{', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        found.update(pictures)
    if not found:
        raise ImageError("no picture given: name files, folders or patterns such as photos/*.jpg")
    for path in found:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            raise ImageError(
                f"{path} is a video: extract its frames first, for instance with "
                f"ffmpeg -i {path.name} frames/%06d.png"
            )
    return sorted(found)


def _listed(path: Path) -> list[Path]:
    """Return the pictures that a text file names, a line each."""
    lines = read_text(path, ImageError).splitlines()
    pictures = [path.parent / line.strip() for line in lines if line.strip()]
    for number, picture in enumerate(pictures, start=1):
        if not is_file(picture):
            raise ImageError(f"{path}, picture {number}: there is no file {shown(str(picture))}")
    return pictures


def _open(path: Path) -> Image.Image:
    """Return a file's picture, decoded, in the mode of the file."""
    if path.is_dir():
        raise ImageError(f"{path} is a folder, not an image file")
    try:
        with Image.open(path) as image:
            return _decoded(image, str(path))
    except FileNotFoundError as error:
        raise ImageError(f"there is no image file {path}") from error
    except ImageError:
        raise
    except _DECODING as error:
        raise ImageError(f"{path} cannot be read as an image: {_one_line(error)}") from error


def _decoded(image: Image.Image, name: str) -> Image.Image:
    """Return the picture after reading its pixels, which Pillow puts off until they are used."""
    try:
        image.load()
    except _DECODING as error:
        raise ImageError(f"{name} cannot be decoded: {_one_line(error)}") from error
    if 0 in image.size:
        raise ImageError(f"{name} is empty: {image.width}x{image.height} pixels")
    return image


def _upright(image: Image.Image) -> Image.Image:
    """Return the picture turned as its EXIF data asks; damaged EXIF data asks nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except _DECODING:
        return image


def _as_stored(image: Image.Image) -> Image.Image:
    """Return the picture as it is."""
    return image


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    """Return a decoded picture as RGB."""
    if image.mode == "RGB":
        return image
    try:
        if image.mode == "F":
            raise ImageError(
                f"{name} holds float values, whose range is unknown: save it with 8 bits a channel"
            )
        if image.mode.startswith("I"):
            return _from_deep(np.asarray(image), name)
        if image.has_transparency_data:
            canvas = Image.new("RGBA", image.size, "white")
            canvas.alpha_composite(image.convert("RGBA"))
            return canvas.convert("RGB")
        return image.convert("RGB")
    except ImageError:
        raise
    except _DECODING as error:
        raise ImageError(f"{name} cannot be turned into RGB: {_one_line(error)}") from error


def _from_deep(values: np.ndarray, name: str) -> Image.Image:
    """Return 16-bit grey values, (H, W) integers in 0–65535, as RGB."""
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(f"{name} holds integers outside 0–65535: save it with 8 bits a channel")
    return Image.fromarray(np.rint(values / 257.0).astype(np.uint8)).convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    """Return an (H, W, 3) uint8 array as a picture."""
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        hint = ""
        if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
            hint = "; move the channels last with array.transpose(1, 2, 0)"
        elif array.dtype.kind == "f":
            hint = "; values in 0–1 are converted by (array * 255).round().astype(np.uint8)"
        raise ImageError(
            f"an array of shape {array.shape} and type {array.dtype} is no picture: give "
            f"(H, W, 3) uint8 in RGB order{hint}"
        )
    return Image.fromarray(array)


def _one_line(error: BaseException) -> str:
    """Return an error's message without line ends."""
    return " ".join(str(error).split()) or type(error).__name__
