"""One of COCO's JSON files: its lists, and the pictures that it names, checked field by field.

An id may be a number or a text, 1 and "1" are the same. What concerns the file as a whole is an
error when the file is read; what concerns one picture is one when that picture is asked for, so
that a check of the data set can list all of them.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lseg.errors import CorruptDataError
from lseg.paths import refuse_special

MOST_PIXELS = 2**28
"""Of a picture; what is drawn for one of this size takes less than 2 GB."""

_LONGEST_NAME = 255  # bytes; what file systems take


class ListedPicture(NamedTuple):
    """A picture as the file names it; its size is as yet unchecked."""

    name: str
    identity: str
    height: Any
    width: Any


class CocoFile:
    """The content of a JSON file with `images`, `annotations` and mostly `categories`.

    Attributes:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            CorruptDataError: If it cannot be read, or holds no JSON object.
        """
        self.path = path
        refuse_special(path, CorruptDataError)
        try:
            content = json.loads(path.read_bytes())
        except OSError as error:
            raise self.error(f"cannot be read: {error.strerror}") from error
        except RecursionError as error:
            raise self.error("is nested too deeply for a COCO file") from error
        except ValueError as error:
            raise self.error(
                f"is no JSON, or was cut off: {error}. Export or download it again"
            ) from error
        if not isinstance(content, dict):
            raise self.error(
                f"is no COCO file: it holds a {type(content).__name__} instead of an object with "
                "the lists images, annotations and categories"
                + (" (a list of results? Those are no ground truth)" * isinstance(content, list))
            )
        self._content = content

    def error(self, what: str) -> CorruptDataError:
        """An error about the file."""
        return CorruptDataError(f"{self.path} {what}")

    def has(self, key: str) -> bool:
        """Tell whether there is something under a name."""
        return self._content.get(key) is not None

    def entries(self, key: str) -> list[dict[str, Any]]:
        """Return the list of objects that the file has under a name.

        Raises:
            CorruptDataError: If there is none, or it has something else in it.
        """
        entries = self._content.get(key)
        if not isinstance(entries, list):
            found = "nothing" if entries is None else f"a {type(entries).__name__}"
            raise self.error(
                f"is no COCO file: it has {found} under {key!r}, where a list of objects must be"
            )
        for position, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise self.error(
                    f"has {short(entry)} at position {position} of {key!r}, where an object must be"
                )
        return entries

    def pictures(self, keep_folders: bool) -> dict[str, ListedPicture]:
        """Return the pictures of `images` by their id.

        Args:
            keep_folders: Whether the folders in a file name are part of the picture's name.

        Raises:
            CorruptDataError: If a picture has no id or file name, or shares one with another.
        """
        by_id: dict[str, ListedPicture] = {}
        names: dict[str, str] = {}
        for position, entry in enumerate(self.entries("images")):
            identity = identity_of(entry.get("id"))
            if identity is None:
                raise self.error(
                    f"has the id {short(entry.get('id'))} at position {position} of 'images': an "
                    "id is a whole number or a text"
                )
            name = _file_name(entry.get("file_name"), keep_folders)
            if name is None:
                raise self.error(
                    f"has the file_name {short(entry.get('file_name'))} for image {identity}: give "
                    "the path of a file, as seen from the folder of the pictures"
                )
            if identity in by_id:
                raise self.error(
                    f"has two images of the id {identity}, {by_id[identity].name!r} and {name!r}: "
                    "whose annotations are whose? Give each its own"
                )
            if name in names:
                raise self.error(
                    f"has the picture {name!r} twice, as the images {names[name]} and {identity}: "
                    "put their annotations under one id"
                )
            names[name] = identity
            by_id[identity] = ListedPicture(name, identity, entry.get("height"), entry.get("width"))
        return by_id

    def annotations(
        self, pictures: Mapping[str, ListedPicture]
    ) -> Iterator[tuple[ListedPicture, str, dict[str, Any]]]:
        """Yield each annotation: its picture, what to call it in a message, and its fields.

        Raises:
            CorruptDataError: At the end, if some were of pictures that are not listed.
        """
        strays = 0
        first = ""
        for position, entry in enumerate(self.entries("annotations")):
            number = identity_of(entry.get("id"))
            label = f"annotation {number}" if number else f"the annotation at position {position}"
            picture = pictures.get(identity_of(entry.get("image_id")) or "")
            if picture is None:
                strays += 1
                first = first or f"{label} has the image_id {short(entry.get('image_id'))}"
                continue
            yield picture, label, entry
        if strays:
            raise self.error(
                f"has {strays} annotation(s) of pictures that its 'images' do not list: {first}. "
                "Remove them, or add the pictures"
            )

    def shape(self, picture: ListedPicture) -> tuple[int, int]:
        """Return (height, width) of a picture.

        Raises:
            CorruptDataError: If the file does not say, or the picture would be too large.
        """
        height, width = _size(picture.height), _size(picture.width)
        if height is None or width is None:
            raise self.error(
                f"has height {short(picture.height)} and width {short(picture.width)} for "
                f"{picture.name!r} (image {picture.identity}): both must be whole numbers of "
                "pixels, 1 or more"
            )
        if height * width > MOST_PIXELS:
            raise self.error(
                f"has height {short(height)} and width {short(width)} for {picture.name!r} (image "
                f"{picture.identity}): accepted are up to {MOST_PIXELS} pixels in all"
            )
        return height, width


def identity_of(value: object) -> str | None:
    """Return an id as text, or None where it is none."""
    if isinstance(value, str):
        return value.strip() or None
    number = _whole(value)
    return None if number is None else str(number)


def short(value: object) -> str:
    """Return what a field holds, shortened to a part of a line."""
    return reprlib.repr(value)


def _whole(value: object) -> int | None:
    """Return a whole number, also one that is written 7.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _size(value: object) -> int | None:
    """Return a number of pixels, also one that is written "640"."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    number = _whole(value)
    return number if number is not None and number > 0 else None


def _file_name(value: object, keep_folders: bool) -> str | None:
    """Return a path with `/` between its parts, or None where no file can have that name."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return None
    if "://" in value:
        try:
            value, keep_folders = urlsplit(value).path, False
        except ValueError:
            return None
    path = PurePosixPath(value.strip().replace("\\", "/"))
    try:
        if any(len(part.encode()) > _LONGEST_NAME for part in path.parts) or len(path.parts) > 64:
            return None
    except UnicodeEncodeError:
        return None
    return (str(path) if keep_folders else path.name) if path.name not in ("", "..") else None
