"""COCO 2014 as COCO-20i uses it: masks from HSNet's PNGs, or straight from the instances JSON."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from lseg.data.base.folder import BACKGROUND, AnnotatedFolder, published_root
from lseg.data.base.images import load_mask
from lseg.data.sets.class_names import COCO, COCO_IDS, natural_name
from lseg.data.sets.coco_categories import Categories
from lseg.data.sets.coco_file import CocoFile
from lseg.data.sets.coco_instances import CocoInstances
from lseg.errors import DataError

_VOID = 255
_CATEGORIES = Categories.numbered(zip(COCO_IDS, COCO, strict=True))


class CocoFolder(AnnotatedFolder):
    """`COCO2014/{train,val}2014/*.jpg` with masks in `annotations`.

    A stem is `val2014/COCO_val2014_000000429717`. Where there is no folder of PNGs for a part, its
    masks are drawn from `annotations/instances_{train,val}2014.json`.
    """

    name = "coco20i"
    classes = COCO
    layout = (
        "<root>/COCO2014/{train,val}2014/<name>.jpg, and "
        "<root>/COCO2014/annotations/{train,val}2014/<name>.png "
        "or <root>/COCO2014/annotations/instances_{train,val}2014.json"
    )

    def __init__(self, root: Path, split: str = "val") -> None:
        """Name the pictures.

        Args:
            root: The folder COCO2014 or the one around it.
            split: `train` or `val`.

        Raises:
            DataError: If there are no annotations.
        """
        self.root, self.split = published_root(root, "COCO2014"), split
        self.annotations = self.root / "annotations"
        if not self.annotations.is_dir():
            raise DataError(f"there is no folder {self.annotations}. Expected: {self.layout}")
        self._instances: dict[str, CocoInstances | DataError] = {}

    def image_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.root / f"{stem}.jpg"

    def mask_path(self, stem: str) -> Path:
        """The PNG of a picture, or the JSON of all where there are no PNGs."""
        folder = stem.split("/")[0]
        if self._has_pngs(folder):
            return self.annotations / f"{stem}.png"
        return self.annotations / f"instances_{folder}.json"

    def decode_mask(self, stem: str) -> np.ndarray:
        """In a PNG 0 is background, 1 to 80 are the classes in the order of their ids.

        Nothing is ignored in COCO-20i: 255 is background as well.
        """
        folder, name = stem.split("/", 1)
        if not self._has_pngs(folder):
            return self.instances(folder).mask(f"{name}.jpg")
        path = self.mask_path(stem)
        values = load_mask(path).astype(np.int32)
        values[values == _VOID] = 0
        if values.max() > len(self.classes):
            raise DataError(
                f"{path} has the value {values.max()}: accepted are 0 (background), 1 to "
                f"{len(self.classes)} (the classes, in the order of their ids) and {_VOID} (void)"
            )
        return np.where(values == 0, BACKGROUND, values - 1).astype(np.int16)

    @cached_property
    def stems(self) -> list[str]:
        """The pictures of the split that have a mask, sorted.

        Raises:
            DataError: If there are none.
        """
        folder = f"{self.split}2014"
        if self._has_pngs(folder):
            names = sorted(path.stem for path in (self.annotations / folder).glob("*.png"))
        else:
            names = sorted(Path(name).stem for name in self.instances(folder).names)
        if not names:
            raise DataError(f"no mask for {folder} in {self.annotations}. Expected: {self.layout}")
        return [f"{folder}/{name}" for name in names]

    def instances(self, folder: str) -> CocoInstances:
        """The annotations of `train2014` or `val2014`, read once.

        Raises:
            DataError: If the file is missing or is no instances JSON.
        """
        if folder not in self._instances:
            try:
                self._instances[folder] = self._open(folder)
            except DataError as error:
                self._instances[folder] = error
        found = self._instances[folder]
        if isinstance(found, DataError):
            raise type(found)(str(found))
        return found

    @property
    def notes(self) -> list[str]:
        """What was left aside of the split's JSON, where masks are drawn from one."""
        folder = f"{self.split}2014"
        try:
            return [] if self._has_pngs(folder) else self.instances(folder).notes
        except DataError:  # each of the masks will say it
            return []

    def _open(self, folder: str) -> CocoInstances:
        path = self.annotations / f"instances_{folder}.json"
        if not path.is_file():
            raise DataError(
                f"there are neither masks in {self.annotations / folder} nor a file {path}. "
                f"Expected: {self.layout}"
            )
        file = CocoFile(path)
        _CATEGORIES.check(file, [[natural_name(name) for name in COCO]])
        return CocoInstances(file, _CATEGORIES)

    def _has_pngs(self, folder: str) -> bool:
        return (self.annotations / folder).is_dir()
