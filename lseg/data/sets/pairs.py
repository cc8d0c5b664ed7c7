"""Image and mask files listed in a text file: one's own data, or any converted set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lseg.data.base.check import picture_problems
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder import AnnotatedFolder
from lseg.data.base.folder_data import FolderDataModule
from lseg.data.base.images import load_colours, load_mask
from lseg.data.base.items import Augmentation
from lseg.data.base.labels import Prompts, class_prompts
from lseg.data.base.orientation import Orientation
from lseg.data.sets.pairs_config import NAME as CONFIG
from lseg.data.sets.pairs_config import PairsConfig
from lseg.data.sets.pairs_lists import LAYOUT, Pair, read_classes, read_split
from lseg.errors import DataError
from lseg.paths import resolve_data_path


class PairsFolder(AnnotatedFolder):
    """The pictures of one list. A stem is the picture's path, as seen from the folder.

    `dataset.yaml`, if there is one, says how masks are read; what is given here goes before it.

    Attributes:
        named_classes: The names in classes.txt; `classes` lacks the one that is ignored.
        pairs: The files of each stem.
    """

    name = "pairs"
    layout = LAYOUT
    upright = True

    def __init__(
        self,
        root: str | Path,
        split: str,
        ignore_index: int | None = None,
        orientation: Orientation | None = None,
    ) -> None:
        """Read the lists; images are opened later.

        Args:
            root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
            split: Name of the list without `.txt`.
            ignore_index: Mask value of pixels without a label; see `PairsConfig`.
            orientation: What masks lie over; see `AnnotatedFolder`.

        Raises:
            DataError: If the folder or one of its files is missing, empty or malformed.
            LabelError: If class names repeat.
        """
        self.root = resolve_data_path(root)
        self.list_path = self.root / f"{split}.txt"
        if not self.root.is_dir():
            raise DataError(f"there is no data folder {self.root}.\nExpected: {LAYOUT}")
        config = PairsConfig.read(self.root)
        if ignore_index is not None:
            config = replace(config, ignore_index=ignore_index)
        self.orientation = orientation or config.orientation
        self.named_classes = tuple(read_classes(self.root / "classes.txt"))
        self.values = config.mask_values(self.named_classes)
        self.classes = self.values.classes
        self.colours = config.colour_table(self.named_classes, self.root / CONFIG)
        self.reading, self.licence = repr(config), config.licence
        self.pairs: dict[str, Pair] = {}
        for pair in read_split(self.root, self.list_path):
            path = pair.image
            stem = str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)
            self.pairs[stem if stem not in self.pairs else f"{stem}, line {pair.line}"] = pair

    @property
    def stems(self) -> list[str]:
        """The list, in its order."""
        return list(self.pairs)

    def image_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.pairs[stem].image

    def mask_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.pairs[stem].mask

    def listed(self, stem: str) -> str:
        """The list and its line."""
        return f"named in line {self.pairs[stem].line} of {self.list_path}"

    def decode_mask(self, stem: str) -> np.ndarray:
        """Values or colours of the file as class indices."""
        path = self.mask_path(stem)
        if self.colours is None:
            values = load_mask(path)
        else:
            values = self.colours.decode(load_colours(path), str(path))
        return self.values.decode(values, str(path))


class PairsDataset(FolderDataset):
    """The images of a list, turned upright, with their masks; see `FolderDataset`."""

    folder: PairsFolder

    def __init__(
        self,
        root: str | Path,
        split: str,
        ignore_index: int | None = None,
        prompts: Prompts | None = None,
        transform: Augmentation | None = None,
        seed: int = 0,
        orientation: Orientation | None = None,
    ) -> None:
        """Read the lists; images are opened later.

        Args:
            root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
            split: Name of the list without `.txt`.
            ignore_index: Mask value to leave out; see `PairsConfig`.
            prompts: {class name: prompt}, or a JSON file that holds it, looked up as `root` is.
            transform: See `FolderDataset`.
            seed: See `FolderDataset`.
            orientation: What masks lie over; see `AnnotatedFolder`.

        Raises:
            DataError: If the folder or one of its files is missing, empty or malformed.
            LabelError: If class names repeat, or the prompts do not fit the classes.
        """
        folder = PairsFolder(root, split, ignore_index, orientation)
        labels: list[str] | None = None
        if prompts is not None:
            named = class_prompts(prompts, folder.named_classes)
            labels = [named[position] for position in folder.values.kept]
        super().__init__(folder, labels, transform=transform, seed=seed)


@dataclass(eq=False, repr=False)
class PairsDataModule(FolderDataModule):
    """Train and validate on a folder of image and mask pairs.

    Attributes:
        root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
        prompts: {class name: prompt}, or a JSON file that holds it, looked up as `root` is.
        ignore_index: Mask value to leave out; that of dataset.yaml, or 255, if not given.
        orientation: What masks lie over where pictures have an EXIF orientation: `displayed` or
            `stored` pixels, or `auto`, so that their size tells; that of dataset.yaml, or `auto`,
            if not given.
    """

    root: str | Path
    prompts: str | Path | dict[str, str] | None = None
    ignore_index: int | None = None
    orientation: Orientation | None = None

    @property
    def source(self) -> str:
        """See `TrainingFacts`."""
        return str(self.root)

    def open_split(self, name: str) -> PairsDataset:
        """See `FolderDataModule`."""
        return PairsDataset(
            self.root, name, self.ignore_index, self.prompts, None, self.seed, self.orientation
        )


def find_problems(dataset: PairsDataset) -> list[str]:
    """Return what is wrong with the files of a data set, a message each; reads all of them.

    Besides what makes an item fail: masks in which every pixel is ignored, and images that are
    listed twice.
    """
    problems = []
    seen: dict[Path, int] = {}
    for stem in dataset.stems:
        pair = dataset.folder.pairs[stem]
        first = seen.setdefault(pair.image, pair.line)
        if first != pair.line:
            problems.append(f"{pair.image} is listed twice, on lines {first} and {pair.line}")
        problems += [problem.text for problem in picture_problems(dataset.folder, stem)]
    return problems
