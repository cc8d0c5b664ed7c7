"""Where the files of COCO 2017 lie."""

from __future__ import annotations

from pathlib import Path

from lseg.data.base.folder import published_root
from lseg.errors import DataError

YEAR = 2017
_HOMES = ("coco", "COCO", "coco2017", "COCO2017")


class CocoLayout:
    """The folders of one part of COCO 2017: its pictures, and its annotations.

    Attributes:
        root: The folder that holds `annotations`.
        part: `train2017` or `val2017`.
        annotations: Folder of the JSON files.
        images: Folder of the pictures: `<part>` or `images/<part>`.
    """

    def __init__(self, root: Path, split: str, expected: str) -> None:
        """Find the folders.

        Args:
            root: The folder with `annotations`, or the one around it, where it is called `coco`,
                `COCO`, `coco2017` or `COCO2017`.
            split: `train` or `val`, also with the year.
            expected: The layout, for messages.

        Raises:
            DataError: If there are no such folders, or no such part.
        """
        split = split.removesuffix(str(YEAR))
        if split not in ("train", "val"):
            raise DataError(f"COCO has no split {split!r} with annotations: give train or val")
        homes = [root, *(published_root(root, name) for name in _HOMES)]
        self.root = next((home for home in homes if (home / "annotations").is_dir()), root)
        self.part = f"{split}{YEAR}"
        self.annotations = self.root / "annotations"
        if not self.annotations.is_dir():
            raise DataError(f"there is no folder {self.annotations}.\nExpected: {expected}")
        places = [self.root / self.part, self.root / "images" / self.part]
        found = next((place for place in places if place.is_dir()), None)
        if found is None:
            raise DataError(
                f"there is neither a folder {places[0]} nor {places[1]}.\nExpected: {expected}"
            )
        self.images = found
