"""Image and mask files listed in a text file: one's own data, or any converted set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lseg.data.base.check import picture_problems
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder_data import FolderDataModule
from lseg.data.base.items import Augmentation
from lseg.data.base.labels import Prompts
from lseg.data.base.orientation import Orientation
from lseg.data.sets.described import DescribedFolder
from lseg.data.sets.pairs_lists import LAYOUT, Pair, read_split


class PairsFolder(DescribedFolder):
    """The pictures of one list. A stem is the picture's path, as seen from the folder.

    Attributes:
        pairs: The files of each stem.
    """

    name = "pairs"
    layout = LAYOUT

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
        super().__init__(root, ignore_index, orientation)
        self.list_path = self.root / f"{split}.txt"
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
        super().__init__(folder, folder.labels(prompts), transform=transform, seed=seed)


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
        stated_licence: Under which the set may be used, where its dataset.yaml does not say it.
    """

    root: str | Path
    prompts: str | Path | dict[str, str] | None = None
    ignore_index: int | None = None
    orientation: Orientation | None = None
    stated_licence: str = ""

    @property
    def licence(self) -> str:
        """See `TrainingFacts`."""
        return super().licence or self.stated_licence

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
