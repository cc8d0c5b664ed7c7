"""COCO 2014 as COCO-20i uses it: masks from HSNet's PNGs, or straight from the instances JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lseg.data.base.images import load_mask
from lseg.data.base.sources import BACKGROUND, Part
from lseg.data.sets.class_names import COCO
from lseg.data.sets.coco_instances import Instances
from lseg.errors import DataError

_FOLDERS = {Part.TRAIN: "train2014", Part.TEST: "val2014"}
_VOID = 255


class CocoTree:
    """`COCO2014/{train,val}2014/*.jpg` with masks in `annotations`; see `Tree`.

    A stem is `val2014/COCO_val2014_000000429717`. Where there is no folder of PNGs for a part, its
    masks are drawn from `annotations/instances_{train,val}2014.json`.
    """

    name = "coco20i"
    classes = COCO
    offset = 0
    ignore = False
    layout = (
        "<root>/COCO2014/{train,val}2014/<name>.jpg, and "
        "<root>/COCO2014/annotations/{train,val}2014/<name>.png "
        "or <root>/COCO2014/annotations/instances_{train,val}2014.json"
    )

    def __init__(self, root: Path) -> None:
        """`root` is the folder COCO2014 or the one around it.

        Raises:
            DataError: If there are no annotations.
        """
        self.root = root / "COCO2014" if (root / "COCO2014").is_dir() else root
        self.annotations = self.root / "annotations"
        if not self.annotations.is_dir():
            raise DataError(f"there is no folder {self.annotations}. Expected: {self.layout}")
        self._instances: dict[str, Instances] = {}

    def image_path(self, stem: str) -> Path:
        """See `Tree`."""
        return self.root / f"{stem}.jpg"

    def mask_path(self, stem: str) -> Path:
        """The PNG of a picture, or the JSON of all where there are no PNGs."""
        folder = stem.split("/")[0]
        if self._has_pngs(folder):
            return self.annotations / f"{stem}.png"
        return self.annotations / f"instances_{folder}.json"

    def mask(self, stem: str) -> np.ndarray:
        """In a PNG 0 is background, 1 to 80 are the classes in the order of their ids.

        Nothing is ignored in COCO-20i: 255 is background as well.
        """
        folder, name = stem.split("/", 1)
        if not self._has_pngs(folder):
            return self.instances(folder).mask(f"{name}.jpg")
        path = self.mask_path(stem)
        values = load_mask(path).astype(np.int16)
        values[values == _VOID] = 0
        if values.max() > len(self.classes):
            raise DataError(
                f"{path} has the value {values.max()}: accepted are 0 (background), 1 to "
                f"{len(self.classes)} (the classes, in the order of their ids) and {_VOID} (void)"
            )
        return np.where(values == 0, BACKGROUND, values - 1).astype(np.int16)

    def stems(self, part: Part) -> list[str]:
        """Test pictures are those of val2014 that have a mask, training pictures of train2014."""
        folder = _FOLDERS[part]
        if self._has_pngs(folder):
            names = sorted(path.stem for path in (self.annotations / folder).glob("*.png"))
        else:
            names = sorted(Path(name).stem for name in self.instances(folder).names)
        if not names:
            raise DataError(f"no mask for {folder} in {self.annotations}. Expected: {self.layout}")
        return [f"{folder}/{name}" for name in names]

    def instances(self, folder: str) -> Instances:
        """The annotations of `train2014` or `val2014`, read once.

        Raises:
            DataError: If the file is missing or is no instances JSON.
        """
        if folder not in self._instances:
            path = self.annotations / f"instances_{folder}.json"
            if not path.is_file():
                raise DataError(
                    f"there are neither masks in {self.annotations / folder} nor a file {path}. "
                    f"Expected: {self.layout}"
                )
            self._instances[folder] = Instances(path)
        return self._instances[folder]

    def _has_pngs(self, folder: str) -> bool:
        return (self.annotations / folder).is_dir()
