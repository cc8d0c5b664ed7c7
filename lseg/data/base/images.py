"""Reading pictures and index masks; every way in which a file can be wrong has one clear error."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from lseg.data.base.decoding import (
    MAX_PIXELS,
    StoredImage,
    decoded,
    decoding,
    read_stored,
)
from lseg.data.base.formats import IMAGE_SUFFIXES, readable_suffixes, unreadable
from lseg.data.base.indices import index_values, packed_colours
from lseg.data.base.patterns import matches
from lseg.data.base.remote import AnyFile, HeldFile
from lseg.data.base.rgb import to_rgb
from lseg.data.base.tar import TarMember
from lseg.data.base.text_files import read_text
from lseg.errors import ImageError, LSegWarning, escaped, shown
from lseg.paths import is_file, user_path

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})


FileName = str | os.PathLike[str] | TarMember | HeldFile
"""A file as a user gives it, or one in an archive."""


def load_image(
    source: FileName | Image.Image | np.ndarray,
    upright: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """Return a picture as 8-bit RGB, turned as its EXIF orientation says.

    What becomes of palettes, transparency, 12 and 16 bits, CMYK and LAB: see `to_rgb`.

    Args:
        source: A path, a PIL image, or an (H, W, 3) uint8 array in RGB order.
        upright: Heed the EXIF orientation; else pixels stay as they are stored.
        max_pixels: Largest width times height of a file's picture.

    Raises:
        ImageError: If the file is missing, unreadable, truncated or too large, or the array is of
            another type or shape.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        stored = _as_rgb(decoded(source, "the picture"), "the picture")
    elif isinstance(source, str | os.PathLike | TarMember | HeldFile):
        stored = load_stored(source, max_pixels)
    else:
        raise ImageError(
            f"{type(source).__name__} is no picture: give a path, a PIL image, or an (H, W, 3) "
            "uint8 array in RGB order"
        )
    return stored.displayed() if upright else stored.image


def load_stored(path: FileName, max_pixels: int = MAX_PIXELS) -> StoredImage:
    """Return a file's picture as 8-bit RGB, its pixels as they are stored.

    Raises:
        ImageError: As `load_image`.
    """
    return _as_rgb(read_stored(_file(path), max_pixels), escaped(str(path)))


def load_mask(path: FileName) -> np.ndarray:
    """Return an index mask, (H, W) uint8 or uint16: the numbers in the file, as they are stored.

    Grey of 1 to 16 bits and palettes, whose colours do not matter; see `index_values`.

    Raises:
        ImageError: If the file is missing, unreadable, or no single channel of indices.
    """
    name = escaped(str(path))
    with decoding(name):
        return index_values(read_stored(_file(path)), name)


def load_colours(path: FileName) -> np.ndarray:
    """Return the colours of a mask, (H, W) uint32 of 0xRRGGBB, as they are stored.

    Raises:
        ImageError: If the file is missing or unreadable, or has deep or transparent pixels.
    """
    name = escaped(str(path))
    with decoding(name):
        return packed_colours(read_stored(_file(path)), name)


def load_grey(path: str | Path) -> np.ndarray:
    """Return an image as grey levels, (H, W) uint8; colours by ITU-R 601 luma, as Pillow does.

    Raises:
        ImageError: If the file is missing or unreadable.
    """
    with decoding(escaped(str(path))):
        return np.array(read_stored(user_path(path, ImageError)).image.convert("L"))


def list_images(sources: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the pictures that files, folders and glob patterns name: sorted, each once.

    Of a folder the files with a suffix of `IMAGE_SUFFIXES` are taken, without hidden ones, as
    patterns do (`._a.jpg` of a Mac is no picture), and without those of its subfolders
    (`folder/**` reaches them). A text file (`.txt`) names a picture a line, relative to its own
    folder.

    Warns of pictures of folders and patterns that are left out as Pillow cannot read them here.

    Raises:
        ImageError: If a file is missing or a video, or a folder or a pattern holds no picture.
    """
    if isinstance(sources, str | Path):
        sources = [sources]
    found: set[Path] = set()
    left_out: set[Path] = set()
    for source in sources:
        path = user_path(source, ImageError)
        if path.is_file():  # before the pattern: "[1].jpg" may be a name
            found.update(_listed(path) if path.suffix.lower() == ".txt" else [path])
            continue
        if path.is_dir():
            candidates = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        elif glob.has_magic(str(path)):
            candidates = list(matches(path))
        else:
            raise ImageError(f"there is no file or folder {escaped(str(source))}")
        pictures = [p for p in candidates if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        readable = [p for p in pictures if p.suffix.lower() in readable_suffixes()]
        if not readable:
            there = "; ".join(unreadable(pictures))
            looked = f"looked for files ending in {', '.join(sorted(readable_suffixes()))}"
            raise ImageError(f"no picture in {escaped(str(source))}: {there or looked}")
        found.update(readable)
        left_out.update(set(pictures).difference(readable))
    if not found:
        raise ImageError("no picture given: name files, folders or patterns such as photos/*.jpg")
    for path in found:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            raise ImageError(
                f"{path} is a video: name it itself to predict, embed or depth; or extract its "
                f"frames first, for instance with ffmpeg -i {path.name} frames/%06d.png"
            )
    for line in unreadable(left_out - found):
        warnings.warn(line, LSegWarning, stacklevel=2)
    return sorted(found)


def _listed(path: Path) -> list[Path]:
    """Return the pictures that a text file names, a line each."""
    lines = read_text(path, ImageError, names_files=True).splitlines()
    pictures = [path.parent / line.strip() for line in lines if line.strip()]
    for number, picture in enumerate(pictures, start=1):
        if not is_file(picture):
            raise ImageError(f"{path}, picture {number}: there is no file {shown(str(picture))}")
    return pictures


def _file(name: FileName) -> AnyFile:
    return name if isinstance(name, TarMember | HeldFile) else user_path(name, ImageError)


def _as_rgb(stored: StoredImage, name: str) -> StoredImage:
    return StoredImage(to_rgb(stored.image, name), stored.orientation)


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
