"""Class masks drawn from an instances JSON: COCO's own, or one that another tool wrote.

What is read: `images` (id, file_name, height, width), `annotations` (image_id, category_id,
segmentation) and, where the set is not COCO's own, `categories` (id, name). `area`, `bbox`,
`iscrowd` and all other fields are left aside.

- A corrupt entry is an error that names it: about the file as a whole when it is read, about a
  picture when its mask is asked for.
- An annotation that outlines nothing (no segmentation, as those of boxes or key points; an empty
  one; polygons of fewer than three points) is skipped, and counted in `notes`.
- A crowd counts as its class.
- Where things overlap, the one of fewer pixels lies on top; of equal ones the later in the file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lseg.data.base.folder import BACKGROUND
from lseg.data.sets.coco_categories import Categories
from lseg.data.sets.coco_file import CocoFile, ListedPicture, identity_of, short
from lseg.data.sets.coco_outline import OutlineError, Runs, draw, is_empty
from lseg.errors import DataError


class _Thing(NamedTuple):
    label: str  # what messages call its annotation
    category_id: Any
    segmentation: Any


class _Picture(NamedTuple):
    listed: ListedPicture
    things: list[_Thing]


class CocoInstances:
    """The annotations of one instances file.

    Attributes:
        path: Of the file.
        categories: Its classes.
        all_names: Names of all pictures, in the order of the file.
        names: Of those that show something.
        notes: What was left aside, a sentence each.
    """

    def __init__(self, file: CocoFile, categories: Categories, keep_folders: bool = False) -> None:
        """Sort the annotations by picture.

        Args:
            file: As read.
            categories: Which ids are which classes.
            keep_folders: Whether the folders in a file name are part of the picture's name.

        Raises:
            DataError: If the lists are not there, pictures share an id or a name, or annotations
                are of no picture.
        """
        self._file, self.path, self.categories = file, file.path, categories
        pictures = file.pictures(keep_folders)
        self._pictures = {listed.name: _Picture(listed, []) for listed in pictures.values()}
        skipped = 0
        first = ""
        for listed, label, entry in file.annotations(pictures):
            segmentation = entry.get("segmentation")
            if is_empty(segmentation):
                skipped += 1
                first = first or f"{label} of {listed.name!r}"
                continue
            thing = _Thing(label, entry.get("category_id"), segmentation)
            self._pictures[listed.name].things.append(thing)
        self.all_names = list(self._pictures)
        self.names = [name for name, picture in self._pictures.items() if picture.things]
        self.notes = []
        if skipped:
            self.notes.append(
                f"{self.path} has {skipped} annotation(s) without an outline, which are skipped; "
                f"the first is {first}"
            )

    def require_outlines(self) -> CocoInstances:
        """Return itself.

        Raises:
            DataError: If not one picture shows anything.
        """
        if not self.names:
            raise self._file.error(
                "outlines nothing: not one of its annotations has a segmentation. Boxes and key "
                "points alone make no masks"
            )
        return self

    def mask(self, name: str) -> np.ndarray:
        """Class indices or `BACKGROUND`, (H, W) int16.

        Raises:
            DataError: If the file has no such picture, or one of its annotations is corrupt.
        """
        picture = self._pictures.get(name)
        if picture is None:
            raise self._file.error(f"has no picture {name!r}")
        height, width = self._file.shape(picture.listed)
        drawn = [self._draw(name, thing, height, width) for thing in picture.things]
        columns = np.full(width * height, BACKGROUND, np.int16)
        for runs, index in sorted(drawn, key=lambda pair: -pair[0].area):
            runs.fill(columns, index)
        return np.ascontiguousarray(columns.reshape(width, height).T)

    def _draw(self, name: str, thing: _Thing, height: int, width: int) -> tuple[Runs, int]:
        """The pixels and the class of a thing."""
        index = self.categories.indices.get(identity_of(thing.category_id) or "")
        if index is None:
            raise DataError(
                f"{self.path}: {thing.label} of {name!r} has the category_id "
                f"{short(thing.category_id)}, which is none of the {len(self.categories.names)} "
                "categories: correct or remove it"
            )
        try:
            return draw(thing.segmentation, height, width), index
        except OutlineError as error:
            raise DataError(f"{self.path}: {thing.label} of {name!r} {error}") from error
