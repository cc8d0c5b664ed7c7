"""Class masks drawn from COCO's instances JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lseg.data.base.folder import BACKGROUND
from lseg.data.sets.class_names import COCO_IDS
from lseg.errors import DataError


class _Instance(NamedTuple):
    class_index: int
    area: float
    segmentation: Any  # polygons, or run lengths of a crowd


class _Picture(NamedTuple):
    height: int
    width: int
    instances: list[_Instance]


class CocoInstances:
    """The annotations of one instances file.

    Attributes:
        names: File names of the pictures that have an annotation.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            DataError: If it is no instances JSON, or has a category that is not COCO's.
        """
        self.path = path
        self._pictures: dict[str, _Picture] = {}
        try:
            values = json.loads(path.read_bytes())
            by_id = {}
            for image in values["images"]:
                picture = _Picture(int(image["height"]), int(image["width"]), [])
                by_id[image["id"]] = self._pictures[Path(image["file_name"]).name] = picture
            for entry in values["annotations"]:
                by_id[entry["image_id"]].instances.append(self._instance(entry))
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{path} is no COCO instances file: expected JSON with images and annotations "
                f"({type(error).__name__}: {error})"
            ) from error
        self.names = [name for name, picture in self._pictures.items() if picture.instances]

    def mask(self, name: str) -> np.ndarray:
        """Class indices or `BACKGROUND`, (H, W) int16.

        Where instances overlap, the smaller one lies on top. Crowds count as their class.

        Raises:
            DataError: If the file has no such picture, or an outline cannot be drawn.
        """
        from pycocotools import mask as coco

        picture = self._pictures.get(name)
        if picture is None:
            raise DataError(f"{self.path} has no picture {name!r}")
        height, width, instances = picture
        mask = np.full((height, width), BACKGROUND, np.int16)
        try:
            for instance in sorted(instances, key=lambda instance: -instance.area):
                runs = instance.segmentation
                if isinstance(runs, list):
                    runs = coco.merge(coco.frPyObjects(runs, height, width))
                elif isinstance(runs["counts"], list):
                    runs = coco.frPyObjects(runs, height, width)
                mask[coco.decode(runs).astype(bool)] = instance.class_index
        except Exception as error:  # pycocotools raises nearly anything
            raise DataError(
                f"{self.path}: an outline in {name} cannot be drawn: {error}"
            ) from error
        return mask

    def _instance(self, entry: dict[str, Any]) -> _Instance:
        number = entry["category_id"]
        if number not in _INDICES:
            raise DataError(
                f"{self.path} has an annotation of category {number!r}, which is none of COCO's 80"
            )
        return _Instance(_INDICES[number], float(entry["area"]), entry["segmentation"])


_INDICES = {number: index for index, number in enumerate(COCO_IDS)}
