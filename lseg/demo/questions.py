"""What visitors send, checked: a picture's file, and labels as text."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lseg.data.base.decoding import identify
from lseg.data.base.images import load_image
from lseg.data.base.labels import clean_name, parse_labels
from lseg.demo.limits import Limits
from lseg.errors import ImageError, LabelError
from lseg.text.asking import other_place
from lseg.text.encoder import SYNONYM_SEPARATOR

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""Formats that Pillow decodes itself; others call programs, or are rarely looked at for faults."""

OTHER = "other"


def read_upload(path: str | None, limits: Limits) -> bytes:
    """The bytes of an uploaded file.

    Raises:
        ImageError: If there is none, or it is too large.
    """
    if path is None:
        raise ImageError("no picture yet: upload one, paste one, or take an example")
    try:
        with Path(path).open("rb") as file:
            data = file.read(limits.upload_bytes + 1)
    except OSError as error:
        raise ImageError("the picture is no longer on the server: upload it again") from error
    if len(data) > limits.upload_bytes:
        raise ImageError(
            f"the file is larger than {limits.upload_bytes / 2**20:.0f} MB: give a smaller one"
        )
    return data


def decode_upload(data: bytes, limits: Limits) -> Image.Image:
    """An uploaded picture, RGB and upright; its size is looked at before it is decoded.

    Raises:
        ImageError: If it is none, is damaged, or has too many pixels.
    """
    try:
        image = identify(io.BytesIO(data), FORMATS)
    except UnidentifiedImageError:
        raise ImageError(
            "the file is no picture that can be read here: give a JPEG, PNG, WebP, BMP, TIFF or GIF"
        ) from None
    except (OSError, ValueError, OverflowError) as error:  # damaged headers
        raise ImageError("the picture is damaged: save it again, or give another one") from error
    with image:
        if image.width * image.height > limits.pixels:
            raise ImageError(
                f"the picture has {image.width} x {image.height} pixels: {_accepted(limits)}"
            )
        return load_image(image)


def _accepted(limits: Limits) -> str:
    return f"up to {limits.pixels / 1e6:g} megapixels are accepted, make it smaller"


def read_labels(text: str, other: bool, limits: Limits) -> list[str]:
    """Labels between commas or line ends, with or without "other" as the switch says.

    (A text that looks like a path is a label all the same: no file of the server is opened.)

    Raises:
        LabelError: If there is none, one is named twice, or there is too much.
    """
    given = _pieces(text)
    if len(text) > 2 * limits.labels * limits.characters:
        raise LabelError(f"that is too much text: give up to {limits.labels} labels")
    pieces = [label for label in given if label.lower() != OTHER]
    if not pieces:
        raise LabelError("no label yet: type some between commas, such as sky, road, tree")
    named = other_place(pieces) is not None  # as background, which is the same
    labels = parse_labels([*pieces, OTHER] if other and not named else pieces)
    if len(labels) > limits.labels:
        raise LabelError(f"{len(labels)} labels: up to {limits.labels} can be asked for at once")
    longest = max(labels, key=len)
    if len(longest) > limits.characters:
        raise LabelError(
            f"the label {longest[:40]!r}... has {len(longest)} characters: a label may have "
            f"{limits.characters}"
        )
    return labels


def with_label(text: str, label: str) -> str:
    """The labels of a text, and one more if it is not among them, alone or as a synonym.

    Raises:
        LabelError: If it is no text.
    """
    names = {clean_name(name) for piece in _pieces(text) for name in piece.split(SYNONYM_SEPARATOR)}
    return text if label in names else ", ".join([*filter(None, [text.rstrip(" ,\n")]), label])


def _pieces(text: str) -> list[str]:
    if not isinstance(text, str):
        raise LabelError('labels must be a text such as "sky, road, tree"')
    pieces = [label.strip() for line in text.splitlines() for label in line.split(",")]
    return [label for label in pieces if label]
