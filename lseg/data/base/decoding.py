"""Opening picture files with Pillow: its limits, its errors, and the pixels as they are stored."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from lseg.data.base.formats import register_plugins, remedy
from lseg.data.base.orientation import UNDONE, check_tag, turned, turned_size
from lseg.data.base.remote import AnyFile
from lseg.data.base.tiff import describe_unread
from lseg.errors import ImageError, escaped
from lseg.paths import refuse_special

MAX_PIXELS = 1_000_000_000
"""Pixels of a picture that is read without a question: one's own files are trusted."""

DECODING = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    EOFError,
    struct.error,
    RuntimeError,  # AVIF; DDS as its NotImplementedError
    AssertionError,  # ICNS
    MemoryError,
    Image.DecompressionBombError,
)
"""What Pillow's decoders raise on damaged files."""

_PROGRAMS = frozenset({"EPS"})
"""Formats that are programs: Pillow has Ghostscript run them, whatever the file's name says."""

_POSTSCRIPT = (b"%!PS", b"\xc5\xd0\xd3\xc6")


class StoredImage(NamedTuple):
    """A decoded picture, its pixels in the order of the file.

    Attributes:
        image: In the mode of the file.
        orientation: EXIF orientation, 1 to 8; 1 where there is none.
        layout: Pillow's name of how the file packs its samples, such as `L;2`; "" where unknown.
        maximum: Sample value that the file calls white, where Pillow scaled samples by it.
    """

    image: Image.Image
    orientation: int = 1
    layout: str = ""
    maximum: int | None = None

    def displayed(self) -> Image.Image:
        """The picture turned as its EXIF orientation says."""
        return turned(self.image, self.orientation)


def read_stored(path: AnyFile, max_pixels: int = MAX_PIXELS) -> StoredImage:
    """Return a file's picture, decoded, in the mode of the file.

    Raises:
        ImageError: If the file is missing or unreadable, or has more than `max_pixels`.
    """
    name = escaped(str(path))
    if isinstance(path, Path):
        refuse_special(path, ImageError)
    if path.is_dir():
        raise ImageError(f"{name} is a folder, not an image file")
    try:
        with path.open("rb") as file, identify(file) as image:
            _check_pixels(image, name, max_pixels)
            return decoded(image, name)
    except FileNotFoundError as error:
        raise ImageError(f"there is no image file {name}") from error
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        reason = describe_unread(path) or f"{error}{remedy(path.suffix)}"
        raise ImageError(f"{name} cannot be read as an image: {reason}") from error
    except DECODING as error:
        raise ImageError(f"{name} cannot be read as an image: {one_line(error)}") from error


def identify(file: IO[bytes], formats: Sequence[str] | None = None) -> ImageFile.ImageFile:
    """Return a picture whose header was read, and whose pixels were not.

    As `Image.open`, whose limit on pixels is a variable of the process, which other threads and
    other libraries rely on: here the caller looks at the size.

    Args:
        file: Open for reading; it must stay so until the pixels are read.
        formats: Pillow's names of those that are tried; all by default.

    Raises:
        UnidentifiedImageError: If it is in none of the formats.
    """
    prefix = file.read(16)
    for load_plugins in (Image.preinit, Image.init, register_plugins):  # the common ones first
        load_plugins()
        for name in Image.ID if formats is None else formats:
            if name in _PROGRAMS:
                continue
            factory, accepts = Image.OPEN.get(name, (None, None))
            try:
                accepted = True if accepts is None else accepts(prefix)
                if factory is None or not accepted or isinstance(accepted, str):  # text: why not
                    continue
                file.seek(0)
                return factory(file, "")
            except (SyntaxError, IndexError, TypeError, struct.error):
                continue  # Pillow's plugins say so that a file is not of their format
    raise UnidentifiedImageError(_unknown_format(prefix))


def _unknown_format(prefix: bytes) -> str:
    """What is wrong with a file that begins so, and is in no format."""
    if not prefix:
        return "the file is empty"
    if prefix.startswith(_POSTSCRIPT):
        return "it is PostScript, a program, which is not run here: save it as PNG"
    return "no image format that Pillow reads"


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turns what Pillow raises while pixels are converted into one error.

    Raises:
        ImageError: If they cannot be.
    """
    try:
        yield
    except ImageError:
        raise
    except DECODING as error:
        raise ImageError(f"{name} cannot be converted: {one_line(error)}") from error


def decoded(image: Image.Image, name: str) -> StoredImage:
    """Return the picture after reading its pixels, which Pillow puts off until they are used.

    Raises:
        ImageError: If they cannot be read, or there are none.
    """
    layout, maximum = _samples(image)
    turned_by_pillow = 1
    try:
        if image.format == "TIFF" and layout:  # whose pixels were not read yet
            # Pillow turns the pixels when it reads them, and forgets the tag.
            turned_by_pillow = _orientation(image)
            # It makes room for them by its own limit, unless there is some.
            room = turned_size(image.size, turned_by_pillow)
            image.im = Image.new(image.mode, room).im
        image.load()
    except DECODING as error:
        raise ImageError(f"{name} cannot be decoded: {one_line(error)}") from error
    if 0 in image.size:
        raise ImageError(f"{name} is empty: {image.width}x{image.height} pixels")
    if turned_by_pillow != 1:
        stored = turned(image, UNDONE[turned_by_pillow])
        return StoredImage(stored, turned_by_pillow, layout, maximum)
    return StoredImage(image, _orientation(image), layout, maximum)


def read_orientation(path: AnyFile) -> int:
    """Return the EXIF orientation of a picture's file, 1 to 8; 1 of a file that is no picture."""
    try:
        with path.open("rb") as file, identify(file) as image:
            if image.format == "PNG":
                # Its EXIF data may stand after the pixels.
                if b"eXIf" not in path.read_bytes():
                    return 1
                image.load()
            return _orientation(image)
    except DECODING:
        return 1


def read_size(path: AnyFile) -> tuple[int, int]:
    """Return width and height of a picture's pixels as they are stored; only the header is read.

    Raises:
        OSError: If the file is missing or no picture.
    """
    try:
        with path.open("rb") as file, identify(file) as image:
            width, height = image.size
            shown = image.format == "TIFF"  # Pillow gives the size after turning
            return turned_size((width, height), _orientation(image) if shown else 1)
    except OSError:
        raise
    except DECODING as error:
        raise UnidentifiedImageError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """Return an error's message without line ends, nor anything that a terminal obeys."""
    return escaped(" ".join(str(error).split())) or type(error).__name__


def _check_pixels(image: Image.Image, name: str, limit: int) -> None:
    pixels = image.width * image.height
    if pixels > limit:
        raise ImageError(
            f"{name} has {image.width}x{image.height} pixels, {pixels / 1e6:.1f} megapixels, more "
            f"than the limit of {limit / 1e6:g}: raise --max-megapixels (`max_pixels` in Python) "
            "if the file is to be trusted"
        )


def _orientation(image: Image.Image) -> int:
    """The tag of a picture; damaged EXIF data has none."""
    try:
        return check_tag(image.getexif().get(ExifTags.Base.Orientation))
    except DECODING:
        return 1


def _samples(image: Image.Image) -> tuple[str, int | None]:
    """How samples are packed, and by which white they are scaled; see `StoredImage`."""
    tiles = getattr(image, "tile", None)
    if not tiles or tiles[0].args is None:
        return "", None
    kind, arguments = tiles[0].codec_name, tiles[0].args
    if isinstance(arguments, str):
        return arguments, None
    layout = arguments[0] if arguments and isinstance(arguments[0], str) else ""
    return layout, arguments[1] if kind in ("ppm", "ppm_plain") else None
