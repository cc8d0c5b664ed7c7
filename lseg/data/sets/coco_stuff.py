"""COCO-Stuff: COCO 2017 with 80 things and 91 stuff (github.com/nightrome/cocostuff).

Layout, as published (stuffthingmaps_trainval2017.zip) or as mmsegmentation has it::

    images/{train,val}2017/000000000139.jpg            or {train,val}2017/
    stuffthingmaps/{train,val}2017/000000000139.png    or annotations/{train,val}2017/

The values of these PNGs are the numbers of labels.txt less one: 0 to 181, of which eleven are never
used, so that 171 classes are left; 255 is unlabelled. mmsegmentation's converter writes
`<name>_labelTrainIds.png` beside them, where classes are 0 to 170: they are read where the others
are not there. COCO-Object's `<name>_instanceTrainIds.png` may lie there too.
"""

from __future__ import annotations

from collections.abc import Sequence

from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.published import Place, PublishedFolder, SplitFiles

_CONVERTED = "_labelTrainIds"

_SPLITS = {"train": "train2017", "val": "val2017"}


class CocoStuffFolder(PublishedFolder):
    """118,287 pictures for training, 5,000 for validation."""

    name = "coco_stuff"
    layout = (
        "<root>/images/{train,val}2017/<name>.jpg (or <root>/{train,val}2017) and "
        "<root>/stuffthingmaps/{train,val}2017/<name>.png (or <root>/annotations/...), or "
        f"<name>{_CONVERTED}.png"
    )
    licence = "annotations CC BY 4.0; each photo under its own licence (Flickr)"
    homes = ("coco_stuff164k", "coco-stuff", "cocostuff", "coco_stuff", "coco", "COCO", "coco2017")
    splits = _SPLITS
    ignore_value = 255

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("coco_stuff")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        part, labels = self.part(), read_labels("coco_stuff")
        images = Place(self.folder(f"images/{part}", part), ".jpg")
        folder = self.folder(f"stuffthingmaps/{part}", f"annotations/{part}")
        masks, values = Place(folder, ".png", without="TrainIds"), labels.numbers()
        if not masks.any():
            masks, values = Place(folder, f"{_CONVERTED}.png"), tuple(range(len(values)))
        return SplitFiles(images, masks, self.index_masks(values, self.class_of_labels(labels)))

    def class_of_labels(self, labels: LabelTable) -> Sequence[int]:
        """The class index of each of the 171 labels."""
        return range(len(labels.names))
