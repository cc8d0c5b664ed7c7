"""Mapillary Vistas 1.2, research edition, with the 65 classes that are evaluated.

Layout, as published (mapillary.com/dataset/vistas)::

    config.json                                        names and colours of the 66 labels
    {training,validation}/images/_1Gs_9M1i_B.jpg
    {training,validation}/labels/_1Gs_9M1i_B.png

An archive of version 2.0 has the same masks in `{training,validation}/v1.2/labels`, and
`config_v1.2.json`. Masks are palette PNGs: 0 to 64 are the classes, 65 is unlabelled and ignored.
"""

from __future__ import annotations

from pathlib import Path

from lseg.data.base.text_files import read_text
from lseg.data.sets.label_table import LabelTable, read_labels
from lseg.data.sets.published import TRAINING_VALIDATION, Place, PublishedFolder, SplitFiles
from lseg.errors import DataError
from lseg.parsing import parse_json


class MapillaryFolder(PublishedFolder):
    """18,000 pictures for training, 2,000 for validation."""

    name = "mapillary"
    layout = (
        "<root>/mapillary_vistas/{training,validation}/images/<name>.jpg, "
        "<root>/mapillary_vistas/{training,validation}/labels/<name>.png (or v1.2/labels) and "
        "<root>/mapillary_vistas/config.json (or config_v1.2.json), version 1.2"
    )
    licence = "CC BY-NC-SA 4.0"
    homes = ("mapillary_vistas", "mapillary-vistas-dataset_public_v1.2", "mapillary", "Mapillary")
    splits = TRAINING_VALIDATION
    ignore_value = 65

    @classmethod
    def read_labels(cls) -> LabelTable:
        """See `PublishedFolder`."""
        return read_labels("mapillary")

    def find_files(self) -> SplitFiles:
        """See `PublishedFolder`."""
        part = self.part()
        images = Place(self.folder(f"{part}/images"), ".jpg")
        masks = Place(self.folder(f"{part}/v1.2/labels", f"{part}/labels"), ".png")
        configs = [self.root / "config_v1.2.json", self.root / "config.json"]
        if (found := next((path for path in configs if path.is_file()), None)) is not None:
            self._check_names(found)
        return SplitFiles(images, masks, self.index_masks(self.labels.numbers()))

    def _check_names(self, path: Path) -> None:
        """Refuses the labels of another version."""
        text = read_text(path, DataError)
        try:
            names = [label["readable"] for label in parse_json(text)["labels"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is no config.json of Mapillary Vistas: {error}") from error
        known = self.labels.columns["name"]
        if tuple(names) != known:
            raise DataError(
                f"{path} has {len(names)} labels that are not the {len(known)} of version 1.2.\n"
                f"Expected: {self.layout}"
            )
