"""COCO-Object: COCO 2017 with the 80 things and a background, as open-vocabulary papers score it.

Labels are "background" and COCO's 80 in the order of their ids; what is none of the 80, stuff and
unlabelled pixels alike, is background. Nothing is ignored. Papers score the 5,000 pictures of
val2017, those without any thing included.

The published masks were made from those of COCO-Stuff by GroupViT's `convert_coco_object.py`
(github.com/NVlabs/GroupViT): `annotations/val2017/<name>_instanceTrainIds.png`, 0 for background
and 1 to 80 for the classes. Where there are none, masks are drawn from COCO's own
`annotations/instances_val2017.json` (cocodataset.org); the two differ where things overlap, since
COCO-Stuff has another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from lseg.data.base.folder import BACKGROUND, AnnotatedFolder, Background
from lseg.data.base.images import load_mask
from lseg.data.sets.coco_categories import Categories, thing_categories
from lseg.data.sets.coco_file import CocoFile
from lseg.data.sets.coco_instances import CocoInstances
from lseg.data.sets.coco_layout import CocoLayout
from lseg.errors import DataError

_SUFFIX = "_instanceTrainIds.png"
_VOID = 255  # some conversions keep COCO-Stuff's unlabelled pixels; they are background


class CocoObjectFolder(AnnotatedFolder):
    """Index 0 is background, 1 to 80 are COCO's things. A stem is a picture's file name.

    Attributes:
        prompts: What to ask a text encoder for, class by class.
    """

    name = "coco_object"
    licence = "annotations CC BY 4.0; each photo under its own licence (Flickr)"
    background = Background.COUNTED
    layout = (
        "<root>/{train,val}2017/<name>.jpg (or under <root>/images), and "
        f"<root>/annotations/{{train,val}}2017/<name>{_SUFFIX} or "
        "<root>/annotations/instances_{train,val}2017.json"
    )

    def __init__(self, root: Path, split: str = "val") -> None:
        """Find the folders.

        Args:
            root: See `CocoLayout`.
            split: `train` or `val`.

        Raises:
            DataError: If folders or masks are missing.
        """
        things = thing_categories()
        self.classes = ("background", *(thing.name for thing in things))
        self.prompts = ("background", *(thing.prompt for thing in things))
        self._files = CocoLayout(root, split, self.layout)
        self._pngs = self._files.annotations / self._files.part
        self._json = self._files.annotations / f"instances_{self._files.part}.json"
        self._drawn = not any(self._pngs.glob(f"*{_SUFFIX}"))
        if self._drawn and not self._json.is_file():
            raise DataError(
                f"there are neither masks {self._pngs}/*{_SUFFIX} nor a file {self._json}.\n"
                f"Expected: {self.layout}"
            )

    @cached_property
    def stems(self) -> Sequence[str]:
        """All pictures of the split, by name."""
        if self._drawn:
            return sorted(self._instances.all_names)
        names = (path.name.removesuffix(_SUFFIX) for path in self._pngs.glob(f"*{_SUFFIX}"))
        return sorted(f"{name}.jpg" for name in names)

    @property
    def notes(self) -> list[str]:
        """What was left aside."""
        return self._instances.notes if self._drawn else []

    def image_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self._files.images / stem

    def mask_path(self, stem: str) -> Path:
        """The PNG of a picture, or the JSON of all."""
        return self._json if self._drawn else self._pngs / f"{PurePosixPath(stem).stem}{_SUFFIX}"

    def listed(self, stem: str) -> str:
        """The JSON, or the folder of the masks."""
        return f"a picture of {self._json if self._drawn else self._pngs}"

    def decode_mask(self, stem: str) -> np.ndarray:
        """See `AnnotatedFolder`."""
        if self._drawn:
            return self._instances.mask(stem) - BACKGROUND  # which becomes 0
        path = self.mask_path(stem)
        values = load_mask(path).astype(np.int32)
        values[values == _VOID] = 0
        if values.max() >= len(self.classes):
            raise DataError(
                f"{path} has the value {values.max()}: accepted are 0 and {_VOID} (background) and "
                f"1 to {len(self.classes) - 1} (COCO's things, in the order of their ids)"
            )
        return values.astype(np.int16)

    @cached_property
    def _instances(self) -> CocoInstances:
        file = CocoFile(self._json)
        categories = Categories.numbered((thing.id, thing.name) for thing in thing_categories())
        categories.check(file)
        return CocoInstances(file, categories).require_outlines()
