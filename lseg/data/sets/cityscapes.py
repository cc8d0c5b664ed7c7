"""Cityscapes with the 19 classes that are evaluated (cityscapes-dataset.com).

Layout, as published::

    leftImg8bit/{train,val}/frankfurt/frankfurt_000000_000294_leftImg8bit.png
    gtFine/{train,val}/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png
    gtFine/{train,val}/frankfurt/frankfurt_000000_000294_gtFine_labelTrainIds.png

The last are written by cityscapesScripts: 0 to 18 are the classes, 255 is ignored. Where they are
not there, the 34 numbers of *_labelIds.png are mapped to the same. Masks of the test part are
empty.
"""

from __future__ import annotations

from lseg.data.base.folder import IGNORE
from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.mask_tables import IndexMasks
from lseg.data.sets.published import TRAIN_VAL, Place, PublishedFolder, SplitFiles


class CityscapesFolder(PublishedFolder):
    """2,975 pictures for training, 500 for validation. A stem is `<city>/<name>`."""

    name = "cityscapes"
    layout = (
        "<root>/leftImg8bit/{train,val}/<city>/<name>_leftImg8bit.png and "
        "<root>/gtFine/{train,val}/<city>/<name>_gtFine_labelTrainIds.png (or _labelIds.png)"
    )
    licence = "Cityscapes licence: non-commercial"
    homes = ("cityscapes", "Cityscapes")
    splits = TRAIN_VAL
    ignore_value = 255

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("cityscapes")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        folder = self.folder(f"leftImg8bit/{self.part()}")
        images = Place(folder, "_leftImg8bit.png", nested=True)
        folder = self.folder(f"gtFine/{self.part()}")
        masks = Place(folder, "_gtFine_labelTrainIds.png", nested=True)
        if masks.any():
            return SplitFiles(images, masks, self.index_masks(self.labels.numbers()))
        masks = Place(folder, "_gtFine_labelIds.png", nested=True)
        values = {number: index for index, number in enumerate(self.labels.numbers("label_id"))}
        ignored = dict.fromkeys(map(int, self.labels.unlabelled("label_id")), IGNORE)
        return SplitFiles(images, masks, IndexMasks({**values, **ignored}))
