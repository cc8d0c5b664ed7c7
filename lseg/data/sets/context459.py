"""PASCAL-Context with all of its 459 classes (PC-459).

The publisher's masks are MATLAB files (cs.stanford.edu/~roozbeh/pascal-context). The benchmark
reads what OVSeg's or CAT-Seg's `datasets/prepare_pascal_context*.py` makes of them::

    VOC2010/JPEGImages/2008_000002.jpg
    VOC2010/annotations_detectron2/pc459_val/2008_000002.tif

Masks have 16 bits: the publisher's number less one, 0 to 458; 65535 is unlabelled.
"""

from __future__ import annotations

from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.published import TRAIN_VAL, Place, PublishedFolder, SplitFiles


class Context459Folder(PublishedFolder):
    """The pictures that have a mask in the split's folder: of val 5,105."""

    name = "context459"
    layout = (
        "<root>/VOC2010/JPEGImages/<name>.jpg and <root>/VOC2010/annotations_detectron2/"
        "pc459_{train,val}/<name>.tif of 16 bits, as OVSeg and CAT-Seg prepare them"
    )
    licence = "photos under the terms of Flickr"
    homes = ("VOC2010", "VOCdevkit/VOC2010")
    splits = TRAIN_VAL
    ignore_value = 65535

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("context459")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        images = Place(self.folder("JPEGImages"), ".jpg")
        masks = Place(self.folder(f"annotations_detectron2/pc459_{self.part()}"), ".tif")
        stems = self.stems_of(masks)
        return SplitFiles(
            images, masks, self.index_masks(self.labels.numbers()), stems, masks.folder
        )
