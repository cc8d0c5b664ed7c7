"""PASCAL-Context with its 59 frequent classes, background left out (59) or counted (60).

PASCAL VOC 2010 pictures with masks by Mottaghi et al. (cs.stanford.edu/~roozbeh/pascal-context),
as mmsegmentation's `tools/dataset_converters/pascal_context.py` writes them from
trainval_merged.json::

    VOC2010/JPEGImages/2008_000002.jpg
    VOC2010/SegmentationClassContext/2008_000002.png
    VOC2010/ImageSets/SegmentationContext/val.txt          the name of a picture a line

There 0 is background and 1 to 59 are the classes *in the order of the alphabet*: the list of names
in mmsegmentation has another order. The masks that OVSeg and CAT-Seg prepare are read where those
are not there: `VOC2010/annotations_detectron2/pc59_val/<name>.png`, 0 to 58, and 255 for the
background.
"""

from __future__ import annotations

from lseg.data.base.folder import BACKGROUND, Background
from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.mask_tables import IndexMasks
from lseg.data.sets.published import TRAIN_VAL, Place, PublishedFolder, SplitFiles
from lseg.errors import DataError

_MASKS = "SegmentationClassContext"
_DETECTRON = 255


class Context60Folder(PublishedFolder):
    """Background counts, as class 0. 4,998 pictures for training, 5,105 for validation."""

    name = "context60"
    layout = (
        "<root>/VOC2010/JPEGImages/<name>.jpg, <root>/VOC2010/SegmentationClassContext/<name>.png "
        "and <root>/VOC2010/ImageSets/SegmentationContext/{train,val}.txt, as mmsegmentation's "
        "converter writes them; or <root>/VOC2010/annotations_detectron2/pc59_{train,val}/"
        "<name>.png"
    )
    licence = "photos under the terms of Flickr"
    homes = ("VOC2010", "VOCdevkit/VOC2010")
    splits = TRAIN_VAL
    background = Background.COUNTED

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("context59")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        images = Place(self.folder("JPEGImages"), ".jpg")
        prepared = self.root / f"annotations_detectron2/pc59_{self.part()}"
        if not (self.root / _MASKS).is_dir() and prepared.is_dir():
            masks = Place(prepared, ".png")
            stems = self.stems_of(masks)
            return SplitFiles(images, masks, self._prepared_values(), stems, prepared)
        self._refuse_raw()
        masks = Place(self.folder(_MASKS), ".png")
        path, stems = self.read_list(f"ImageSets/SegmentationContext/{self.part()}.txt")
        return SplitFiles(images, masks, self.index_masks(self.labels.numbers()), stems, path)

    def _prepared_values(self) -> IndexMasks:
        first = int(self.background is Background.COUNTED)
        values = {value: value + first for value in range(len(self.classes) - first)}
        return IndexMasks({**values, _DETECTRON: 0 if first else BACKGROUND})

    def _refuse_raw(self) -> None:
        raw = self.root / "trainval_merged.json"
        if raw.is_file() and not (self.root / _MASKS).is_dir():
            raise DataError(
                f"{raw} must be turned into PNGs first, by tools/dataset_converters/"
                f"pascal_context.py of mmsegmentation.\nExpected: {self.layout}"
            )


class Context59Folder(Context60Folder):
    """Background is left out."""

    name = "context59"
    reduce_zero_label = True
    background = Background.OTHER

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return super().read_labels().without("background")
