"""CamVid with all of its labels, in masks of colours.

As published (mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid), with lists of the pictures of
each split that one must bring; the split `all` needs none::

    CamVid/701_StillsRaw_full/0001TP_006690.png
    CamVid/LabeledApproved_full/0001TP_006690_L.png
    CamVid/label_colors.txt                            `64 128 64<tab>Animal`
    CamVid/val.txt                                     the name of a picture a line

As it is passed on with splits::

    CamVid/{train,val,test}/0001TP_006690.png
    CamVid/{train,val,test}_labels/0001TP_006690_L.png
    CamVid/class_dict.csv                              `Animal,64,128,64`

Of 32 labels Void is none: 31 classes are scored. The colours are those of the set's own table if it
is there.
"""

from __future__ import annotations

import re
from pathlib import Path

from lseg.data.base.folder import IGNORE
from lseg.data.base.text_files import read_lines
from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.mask_tables import ColourMasks
from lseg.data.sets.published import Place, PublishedFolder, SplitFiles
from lseg.errors import DataError

_STILLS, _LABELS = "701_StillsRaw_full", "LabeledApproved_full"
_TABLES = ("class_dict.csv", "label_colors.txt")

_SPLITS = {"train": "train", "val": "val", "test": "test", "all": "all"}


class CamVid32Folder(PublishedFolder):
    """701 pictures, 960 × 720 pixels; 367 / 101 / 233 by the usual lists."""

    name = "camvid32"
    layout = (
        "<root>/CamVid/{train,val,test}/<name>.png, <root>/CamVid/{train,val,test}_labels/"
        "<name>_L.png of colours and <root>/CamVid/class_dict.csv; or "
        "<root>/CamVid/701_StillsRaw_full/<name>.png, <root>/CamVid/LabeledApproved_full/"
        "<name>_L.png, <root>/CamVid/label_colors.txt and <root>/CamVid/<split>.txt"
    )
    homes = ("CamVid", "camvid")
    splits = _SPLITS

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("camvid32")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        part, values = self.part(), self._colours()
        if not (self.root / _STILLS).is_dir() and part != "all":
            images = Place(self.folder(part), ".png")
            return SplitFiles(images, Place(self.folder(f"{part}_labels"), "_L.png"), values)
        images, masks = Place(self.folder(_STILLS), ".png"), Place(self.folder(_LABELS), "_L.png")
        if part == "all":
            return SplitFiles(images, masks, values)
        path, names = self.read_list(f"{part}.txt")
        stems = [Path(name.split()[0]).name.removesuffix(".png") for name in names]
        return SplitFiles(images, masks, values, stems, path)

    def _colours(self) -> ColourMasks:
        """The classes by colour, 0xRRGGBB, after the folder's own table if there is one."""
        own = dict(zip(self.labels.columns["name"], self.labels.columns["color"], strict=True))
        colours = {name: int(colour.removeprefix("#"), 16) for name, colour in own.items()}
        path = next((self.root / name for name in _TABLES if (self.root / name).is_file()), None)
        if path is not None:
            colours = _read_colours(path)
        if set(colours) != set(own):
            odd = sorted(set(colours) ^ set(own))
            raise DataError(
                f"{path} has other names than CamVid's 32: {', '.join(odd[:5])}.\n"
                f"Expected: {self.layout}"
            )
        meanings = {colours[name]: self.classes.index(name) for name in self.classes}
        void = {colours[name]: IGNORE for name in self.labels.unlabelled("name")}
        return ColourMasks({**meanings, **void}, "the set" if path is None else str(path))


def _read_colours(path: Path) -> dict[str, int]:
    """The colour of each name: `64 128 64 Animal` or `Animal,64,128,64` a line, a header or not.

    Raises:
        DataError: If a line is neither.
    """
    found = {}
    for line in read_lines(path, DataError):
        words = re.split(r"[\s,]+", line)
        numbers = [int(word) for word in words if word.isdecimal()]
        names = [word for word in words if not word.isdecimal()]
        if sorted(words) == ["b", "g", "name", "r"]:
            continue
        if len(names) != 1 or len(numbers) != 3 or max(numbers) > 255:
            raise DataError(f"{path}: {line!r} is no name with red, green and blue")
        found[names[0]] = int.from_bytes(bytes(numbers))
    return found
