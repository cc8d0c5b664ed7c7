"""Folders that say themselves what their masks mean: classes.txt and dataset.yaml."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lseg.data.base.folder import AnnotatedFolder
from lseg.data.base.images import load_colours, load_mask
from lseg.data.base.labels import Prompts, class_prompts
from lseg.data.base.orientation import Orientation
from lseg.data.sets.pairs_config import NAME as CONFIG
from lseg.data.sets.pairs_config import PairsConfig
from lseg.data.sets.pairs_lists import read_classes
from lseg.errors import DataError
from lseg.paths import resolve_data_path


class DescribedFolder(AnnotatedFolder):
    """Pictures and masks that are listed in one way or another, beside what describes them.

    `dataset.yaml`, if there is one, says how masks are read; what is given here goes before it.

    Attributes:
        root: The folder.
        named_classes: The names in classes.txt; `classes` lacks the one that is ignored.
    """

    upright = True

    def __init__(
        self,
        root: str | Path,
        ignore_index: int | None = None,
        orientation: Orientation | None = None,
    ) -> None:
        """Read what describes the folder.

        Args:
            root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
            ignore_index: Mask value of pixels without a label; see `PairsConfig`.
            orientation: What masks lie over; see `AnnotatedFolder`.

        Raises:
            DataError: If the folder or one of its files is missing, empty or malformed.
            LabelError: If class names repeat.
        """
        self.root = resolve_data_path(root)
        if not self.root.is_dir():
            raise DataError(f"there is no data folder {self.root}.\nExpected: {self.layout}")
        config = PairsConfig.read(self.root)
        if ignore_index is not None:
            config = replace(config, ignore_index=ignore_index)
        self.orientation = orientation or config.orientation
        self.named_classes = tuple(read_classes(self.root / "classes.txt"))
        self.values = config.mask_values(self.named_classes)
        self.classes = self.values.classes
        self.colours = config.colour_table(self.named_classes, self.root / CONFIG)
        self.reading, self.licence = repr(config), config.licence

    def labels(self, prompts: Prompts | None) -> list[str] | None:
        """What to ask a text encoder for, class by class; None is the classes' own names.

        Raises:
            LabelError: If the prompts do not fit the classes.
        """
        if prompts is None:
            return None
        named = class_prompts(prompts, self.named_classes)
        return [named[position] for position in self.values.kept]

    def decode_mask(self, stem: str) -> np.ndarray:
        """Values or colours of the file as class indices."""
        file = self.mask_file(stem)
        if self.colours is None:
            values = load_mask(file)
        else:
            values = self.colours.decode(load_colours(file), str(file))
        return self.values.decode(values, str(file))
