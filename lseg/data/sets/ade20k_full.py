"""The full ADE20K with the 847 classes of A-847 (groups.csail.mit.edu/vision/datasets/ADE20K).

The release of 2021 has masks of colours for some 3,000 names. The benchmark reads what MaskFormer's
`datasets/prepare_ade20k_full_sem_seg.py` makes of them, pictures scaled to a shorter side of 512::

    ADE20K_2021_17_01/images_detectron2/{training,validation}/ADE_val_00000001.jpg
    ADE20K_2021_17_01/annotations_detectron2/{training,validation}/ADE_val_00000001.tif

Masks have 16 bits: 0 to 846 are the classes, 65535 is all else and ignored.
"""

from __future__ import annotations

from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.published import TRAINING_VALIDATION, Place, PublishedFolder, SplitFiles


class Ade20kFullFolder(PublishedFolder):
    """25,574 pictures for training, 2,000 for validation."""

    name = "ade20k_full"
    layout = (
        "<root>/ADE20K_2021_17_01/images_detectron2/{training,validation}/<name>.jpg and "
        "<root>/ADE20K_2021_17_01/annotations_detectron2/{training,validation}/<name>.tif of 16 "
        "bits, as MaskFormer's prepare_ade20k_full_sem_seg.py writes them"
    )
    licence = "pictures for non-commercial research and education; annotations BSD-3"
    homes = ("ADE20K_2021_17_01",)
    splits = TRAINING_VALIDATION
    ignore_value = 65535

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("ade20k_full")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        images = Place(self.folder(f"images_detectron2/{self.part()}"), ".jpg")
        masks = Place(self.folder(f"annotations_detectron2/{self.part()}"), ".tif")
        return SplitFiles(images, masks, self.index_masks(self.labels.numbers()))
