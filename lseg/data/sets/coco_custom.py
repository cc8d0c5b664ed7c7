"""Any instances JSON in COCO's form: one's own annotations, as labelling tools export them.

Outlines may be polygons, run lengths or compressed run lengths (see `coco_instances` for what is
read and what becomes of odd entries). Classes are the file's `categories`, in the order of their
ids. Pixels of no thing are a class of their own, index 0, called "background"; or they are ignored.

The file is the one given, or the first of these that a folder has, S being the split (for val also
"valid")::

    annotations/instances_S.json, instances_S2017.json, instances_S2014.json   COCO, CVAT
    annotations/S.json, S.json, instances_S.json
    S/_annotations.coco.json, S/annotations.json, S/labels.json                Roboflow, FiftyOne
    annotations.json, labels.json, instances.json, _annotations.coco.json,     one for all splits
    annotations/instances_default.json, result.json

Pictures are looked for by their `file_name` in the folder of the split (S, S2017, S2014, images/S,
...), beside the file, and in images, data, JPEGImages and the folder itself; then by the last part
of that name alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from lseg.data.base.folder import BACKGROUND, IGNORE, AnnotatedFolder, Background
from lseg.data.sets.coco_categories import Categories
from lseg.data.sets.coco_file import CocoFile
from lseg.data.sets.coco_instances import CocoInstances
from lseg.errors import DataError
from lseg.paths import is_file

_WITH_SPLIT = (
    "annotations/instances_{}.json",
    "annotations/instances_{}2017.json",
    "annotations/instances_{}2014.json",
    "annotations/{}.json",
    "{}.json",
    "instances_{}.json",
    "{}/_annotations.coco.json",
    "{}/annotations.json",
    "{}/labels.json",
)
_FOR_ALL = (
    "annotations.json",
    "labels.json",
    "instances.json",
    "_annotations.coco.json",
    "annotations/instances_default.json",
    "result.json",
)
_PICTURES = ("{}", "images/{}", "{}/images", "{}/data")


class CocoCustomFolder(AnnotatedFolder):
    """Pictures with an instances JSON. A stem is a picture's file name, as the file has it.

    Attributes:
        json: The file.
    """

    name = "coco"
    layout = (
        "<root>/annotations/instances_<split>*.json with pictures in <root>/<split>*, or "
        "<root>/<split>/_annotations.coco.json, or <root>/annotations.json with <root>/images, or "
        "the JSON file itself"
    )

    def __init__(
        self, root: Path, split: str = "val", background: str | None = "background"
    ) -> None:
        """Read the file; pictures are opened later.

        Args:
            root: The JSON file, or a folder that holds it.
            split: Part of the set, such as `val`.
            background: What to call pixels of no thing, the first class; None ignores them, and
                leaves pictures without a thing out.

        Raises:
            DataError: If there is no such file, it is no instances JSON, or outlines nothing.
        """
        aliases = [split, "valid"] if split == "val" else [split]
        self.json = _find_json(root, aliases, self.layout)
        self._background = background
        self.background = Background.NONE if background is None else Background.COUNTED
        file = CocoFile(self.json)
        categories = Categories.of(file)
        if background is not None and background in categories.names:
            raise file.error(
                f"has a category {background!r}, and so are called the pixels of none: give "
                "another name for these, or none to ignore them"
            )
        self._instances = CocoInstances(file, categories, keep_folders=True).require_outlines()
        self.classes = (*([] if background is None else [background]), *categories.names)
        self._folders = _picture_folders(root, self.json, aliases)

    @property
    def notes(self) -> list[str]:
        """What was left aside."""
        return self._instances.notes

    @cached_property
    def stems(self) -> Sequence[str]:
        """The pictures, in the order of the file."""
        return self._instances.names if self._background is None else self._instances.all_names

    def image_path(self, stem: str) -> Path:
        """Where a picture lies; where it should, if it is nowhere."""
        if PurePosixPath(stem).is_absolute() and is_file(Path(stem)):
            return Path(stem)
        names = (stem.lstrip("/"), PurePosixPath(stem).name)
        places = [folder / name for name in names for folder in self._folders]
        return next((place for place in places if is_file(place)), places[0])

    def mask_path(self, stem: str) -> Path:
        """The JSON of all pictures."""
        return self.json

    def listed(self, stem: str) -> str:
        """The file."""
        return f"a picture of {self.json}"

    def decode_mask(self, stem: str) -> np.ndarray:
        """See `AnnotatedFolder`."""
        mask = self._instances.mask(stem)
        if self._background is None:
            mask[mask == BACKGROUND] = IGNORE
            return mask
        return mask - BACKGROUND  # which becomes 0


def _find_json(root: Path, splits: Sequence[str], expected: str) -> Path:
    if is_file(root):
        return root
    names = [pattern.format(split) for split in splits for pattern in _WITH_SPLIT]
    for name in (*names, *_FOR_ALL):
        if is_file(root / name):
            return root / name
    there = sorted(
        str(path.relative_to(root))
        for pattern in ("*.json", "*/*.json")
        for path in root.glob(pattern)
    )
    found = f"; it has {', '.join(there[:5])}" if there else ""
    raise DataError(
        f"there is no instances JSON for the split {splits[0]!r} in {root}{found}: give the file "
        f"itself, or rename it.\nExpected: {expected}"
    )


def _picture_folders(root: Path, json: Path, splits: Sequence[str]) -> list[Path]:
    """The folders that pictures may lie in, those of the split first; without double ones."""
    homes = [root] if root != json else [json.parent]
    if root == json and json.parent.name == "annotations":
        homes = [json.parent.parent]
    title = json.stem.removeprefix("instances_")  # such as val2017
    parts = [title, *(f"{split}{year}" for split in splits for year in ("", "2017", "2014"))]
    folders = [home / place.format(part) for home in homes for part in parts for place in _PICTURES]
    folders += [json.parent]
    folders += [home / place for home in homes for place in ("images", "data", "JPEGImages", "")]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()] or [json.parent]
