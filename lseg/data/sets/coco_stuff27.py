"""COCO-Stuff with the 27 groups of its labels that unsupervised segmentation is scored by.

Files are those of `coco_stuff`. PiCIE and STEGO (github.com/mhamilton723/STEGO) number the groups:
12 of things, then 15 of stuff. Their own figures are of a curated list of pictures of val2017,
cropped to squares in the middle; those of a whole split are not to be compared with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from lseg.data.sets.coco_stuff import CocoStuffFolder
from lseg.data.sets.label_table import LabelTable, read_labels


class CocoStuff27Folder(CocoStuffFolder):
    """The pictures of COCO-Stuff."""

    name = "coco_stuff27"

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("coco_stuff27")

    def class_of_labels(self, labels: LabelTable) -> Sequence[int]:
        """The group of each of the 171 labels."""
        return [self.classes.index(group) for group in labels.column("group")]
