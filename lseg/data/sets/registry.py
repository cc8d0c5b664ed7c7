"""The published sets by the names that `--dataset` has; an adaptor is imported when it is opened.

Another set is an adaptor in a file of its own, a line in `SetName` and one in `ADAPTORS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from lseg.errors import DataError
from lseg.paths import exists, resolve_data_path

if TYPE_CHECKING:
    from lseg.data.base.folder import AnnotatedFolder

SetName = Literal[
    "ade20k",
    "ade20k_full",
    "coco_stuff",
    "coco_stuff27",
    "coco_object",
    "coco_panoptic",
    "coco",
    "voc20",
    "voc21",
    "context59",
    "context60",
    "context459",
    "cityscapes",
    "camvid11",
    "camvid32",
    "mapillary",
]

ADAPTORS: Mapping[SetName, str] = {
    "ade20k": "ade20k.Ade20kFolder",
    "ade20k_full": "ade20k_full.Ade20kFullFolder",
    "coco_stuff": "coco_stuff.CocoStuffFolder",
    "coco_stuff27": "coco_stuff27.CocoStuff27Folder",
    "coco_object": "coco_object.CocoObjectFolder",
    "coco_panoptic": "coco_panoptic.CocoPanopticFolder",
    "coco": "coco_custom.CocoCustomFolder",
    "voc20": "voc_semantic.Voc20Folder",
    "voc21": "voc_semantic.Voc21Folder",
    "context59": "context.Context59Folder",
    "context60": "context.Context60Folder",
    "context459": "context459.Context459Folder",
    "cityscapes": "cityscapes.CityscapesFolder",
    "camvid11": "camvid11.CamVid11Folder",
    "camvid32": "camvid32.CamVid32Folder",
    "mapillary": "mapillary.MapillaryFolder",
}
"""Module in this package and class; it is made with (root, split)."""

SETS: tuple[SetName, ...] = get_args(SetName)


def open_set(name: SetName, root: str | Path, split: str = "val") -> AnnotatedFolder:
    """Open a split of a published set.

    Args:
        name: See `SetName`.
        root: The set's own folder or the one around it, or the file of `coco`; looked up under
            LSEG_DATA if relative.
        split: `train`, `val`, or another that the set has.

    Raises:
        DataError: If folders are missing, or there is no such split.
    """
    module, adaptor = ADAPTORS[name].split(".")
    path = resolve_data_path(root)
    if not exists(path):
        raise DataError(f"there is no folder {path}: give the one that {name} lies in")
    kind = getattr(importlib.import_module(f"{__package__}.{module}"), adaptor)
    return cast("AnnotatedFolder", kind(path, split))
