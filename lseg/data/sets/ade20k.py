"""ADE20K scene parsing: 150 classes (sceneparsing.csail.mit.edu, ADEChallengeData2016.zip).

Layout, as published::

    ADEChallengeData2016/images/{training,validation}/ADE_val_00000001.jpg
    ADEChallengeData2016/annotations/{training,validation}/ADE_val_00000001.png

In a mask 1 to 150 are the classes and 0 is "other": reduced by one, as all published figures have
it, that is left out. The masks in `annotations_detectron2`, which some programs write, are reduced
already and not read here.
"""

from __future__ import annotations

from lseg.data.base.folder import Background
from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.published import TRAINING_VALIDATION, Place, PublishedFolder, SplitFiles


class Ade20kFolder(PublishedFolder):
    """20,210 pictures for training, 2,000 for validation."""

    name = "ade20k"
    layout = (
        "<root>/ADEChallengeData2016/images/{training,validation}/<name>.jpg and "
        "<root>/ADEChallengeData2016/annotations/{training,validation}/<name>.png, where 0 is "
        "other and 1 to 150 are the classes"
    )
    licence = "pictures for non-commercial research and education; annotations BSD-3"
    homes = ("ADEChallengeData2016",)
    splits = TRAINING_VALIDATION
    reduce_zero_label = True
    background = Background.OTHER

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("ade20k")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        images = Place(self.folder(f"images/{self.part()}"), ".jpg")
        masks = Place(self.folder(f"annotations/{self.part()}"), ".png")
        return SplitFiles(images, masks, self.index_masks(self.labels.numbers()))
