"""Label maps from a COCO instances file: one annotation a label and picture, or several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lseg.errors import DataError


def is_instances(values: object) -> bool:
    """Tell whether a JSON's values are COCO's instances: images, annotations, categories."""
    parts = ("images", "annotations", "categories")
    return isinstance(values, dict) and all(isinstance(values.get(part), list) for part in parts)


class CocoFile:
    """The label maps of a COCO instances file, by the names of its categories."""

    def __init__(
        self,
        path: Path,
        values: dict[str, Any],
        classes_of: Callable[[Sequence[str]], list[int]],
        background: int,
    ) -> None:
        """Sorts the annotations by picture.

        Args:
            path: Of the file, for messages.
            values: What it holds.
            classes_of: Finds the classes of labels.
            background: Value of pixels that no annotation covers.

        Raises:
            DataError: If entries lack what they must have.
        """
        self.path, self.background = path, background
        try:
            names = [str(category["name"]) for category in values["categories"]]
            ids = [category["id"] for category in values["categories"]]
            self.classes = dict(zip(ids, classes_of(names), strict=True))
            self._annotations: dict[Any, list[dict[str, Any]]] = defaultdict(list)
            for entry in values["annotations"]:
                self._annotations[entry["image_id"]].append(entry)
            self._images = [
                (image["id"], str(image["file_name"]), int(image["height"]), int(image["width"]))
                for image in values["images"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path} is no COCO instances file: an entry of its lists lacks or spoils "
                f"{error}; see https://cocodataset.org/#format-data"
            ) from error

    def maps(self) -> list[CocoMap]:
        """The map of every picture of the file."""
        return [
            CocoMap(self, name, (height, width), self._annotations.get(key, []))
            for key, name, height, width in self._images
        ]


class CocoMap:
    """A picture's annotations, painted over one another: the surest last, else in their order."""

    def __init__(
        self,
        file: CocoFile,
        file_name: str,
        size: tuple[int, int],
        annotations: list[dict[str, Any]],
    ) -> None:
        self.file_name = file_name
        self._file, self._size, self._annotations = file, size, annotations

    @property
    def source(self) -> str:
        """See `LabelMap`."""
        return f"{self._file.path.name}: {self.file_name}"

    def read(self) -> np.ndarray:
        """See `LabelMap`."""
        painted = np.full(self._size, self._file.background, np.int64)
        try:
            for entry in sorted(self._annotations, key=lambda one: float(one.get("score", 1))):
                painted[self._mask(entry["segmentation"])] = self._file.classes[
                    entry["category_id"]
                ]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise DataError(
                f"{self.source}: an annotation cannot be read ({' '.join(str(error).split())}); "
                "masks are RLE or polygons of the image's size, with a category of the file"
            ) from error
        return painted

    def _mask(self, segmentation: Any) -> np.ndarray:
        """(H, W) bool of run lengths, packed or not, or of polygons."""
        from pycocotools import mask as coco

        height, width = self._size
        if isinstance(segmentation, list):
            rle = coco.merge(coco.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation["counts"], list):
            rle = coco.frPyObjects(segmentation, height, width)
        else:
            rle = segmentation
        return coco.decode(rle).astype(bool)
