"""PASCAL VOC 2012 segmentation, with its background (VOC-21, PAS-20b) or without (VOC-20, PAS-20).

Layout of the devkit (host.robots.ox.ac.uk/pascal/VOC/voc2012), in VOCdevkit or not::

    VOC2012/JPEGImages/2007_000033.jpg
    VOC2012/SegmentationClass/2007_000033.png     or SegmentationClassAug/, with SBD's masks
    VOC2012/ImageSets/Segmentation/val.txt        the name of a picture a line

Masks are palette PNGs: 0 is background, 1 to 20 are the classes, 255 is unlabelled (borders).
"""

from __future__ import annotations

from lseg.data.base.folder import Background
from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.published import TRAIN_VAL, Place, PublishedFolder, SplitFiles

_LISTS = "ImageSets/Segmentation"


class Voc21Folder(PublishedFolder):
    """Background counts, as class 0. Any list of the devkit is a split: val has 1,449 pictures."""

    name = "voc21"
    layout = (
        "<root>/VOC2012/JPEGImages/<name>.jpg, <root>/VOC2012/SegmentationClass/<name>.png (or "
        "SegmentationClassAug) and <root>/VOC2012/ImageSets/Segmentation/<split>.txt"
    )
    licence = "photos under the terms of Flickr"
    homes = ("VOC2012", "VOCdevkit/VOC2012")
    splits = TRAIN_VAL
    ignore_value = 255
    background = Background.COUNTED

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("voc")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        images = Place(self.folder("JPEGImages"), ".jpg")
        folders = ["SegmentationClass", "SegmentationClassAug"]
        if "aug" in self.split:
            folders.reverse()
        masks = Place(self.folder(*folders), ".png")
        path, stems = self.read_list(f"{_LISTS}/{self.split}.txt")
        return SplitFiles(images, masks, self.index_masks(self.labels.numbers()), stems, path)


class Voc20Folder(Voc21Folder):
    """Background is left out."""

    name = "voc20"
    reduce_zero_label = True
    background = Background.OTHER

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return super().read_labels().without("background")
