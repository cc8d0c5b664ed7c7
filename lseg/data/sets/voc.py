"""PASCAL VOC 2012 with the SBD masks, as PASCAL-5i uses it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from lseg.data.base.folder import BACKGROUND, IGNORE, AnnotatedFolder, published_root
from lseg.data.base.images import load_mask
from lseg.data.base.text_files import read_lines
from lseg.data.sets.class_names import PASCAL
from lseg.errors import DataError

_UNLABELLED = 255


class VocFolder(AnnotatedFolder):
    """`VOC2012/JPEGImages/*.jpg` and `VOC2012/SegmentationClassAug/*.png`."""

    name = "pascal5i"
    classes = PASCAL
    layout = "<root>/VOC2012/JPEGImages/<name>.jpg, <root>/VOC2012/SegmentationClassAug/<name>.png"

    def __init__(self, root: Path, split: str = "val") -> None:
        """Name the pictures.

        Args:
            root: The folder VOC2012 or the one around it.
            split: `val` for the pictures of ImageSets/Segmentation/val.txt (all of them where there
                is no such file), `train` for the others.

        Raises:
            DataError: If the folders are not there.
        """
        self.root, self.split = published_root(root, "VOC2012"), split
        for folder in ("JPEGImages", "SegmentationClassAug"):
            if not (self.root / folder).is_dir():
                raise DataError(f"there is no folder {self.root / folder}. Expected: {self.layout}")

    def image_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.root / "JPEGImages" / f"{stem}.jpg"

    def mask_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.root / "SegmentationClassAug" / f"{stem}.png"

    def decode_mask(self, stem: str) -> np.ndarray:
        """In the file 0 is background, 1 to 20 are the classes, 255 is unlabelled."""
        values = load_mask(self.mask_path(stem)).astype(np.int32)
        unknown = (values > len(self.classes)) & (values != _UNLABELLED)
        if unknown.any():
            listed = ", ".join(map(str, np.unique(values[unknown]).tolist()[:5]))
            raise DataError(
                f"{self.mask_path(stem)} has the values {listed}: accepted are 0 (background), 1 "
                f"to {len(self.classes)} (the classes) and {_UNLABELLED} (unlabelled)"
            )
        mask = np.where(values == 0, BACKGROUND, values - 1).astype(np.int16)
        mask[values == _UNLABELLED] = IGNORE
        return mask

    @cached_property
    def stems(self) -> list[str]:
        """The pictures of the split that have a mask, sorted.

        Raises:
            DataError: If there are none, or which are for training is not said.
        """
        masks = sorted(path.stem for path in (self.root / "SegmentationClassAug").glob("*.png"))
        if not masks:
            raise DataError(f"no mask in {self.root}. Expected: {self.layout}")
        listed = self.root / "ImageSets" / "Segmentation" / "val.txt"
        if not listed.is_file():
            if self.split == "val":
                return masks
            raise DataError(
                f"which pictures are for training? Give --splits, or put VOC's own list in {listed}"
            )
        val = set(read_lines(listed, DataError))
        chosen = [stem for stem in masks if (stem in val) == (self.split == "val")]
        if not chosen:
            raise DataError(f"none of the masks in {self.root} is for {self.split} by {listed}")
        return chosen
