"""Data sets of image and mask files listed in a text file: one's own data, or any converted set."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional

from lseg.data.base.images import load_image, load_mask
from lseg.data.base.items import Key, split_key
from lseg.data.base.labels import load_prompts, parse_labels
from lseg.errors import DataError, LSegError
from lseg.paths import resolve_data_path

_LAYOUT = """Expected layout:
  <root>/classes.txt   one class a line; line i (from 0) names mask value i
  <root>/<split>.txt   a line an image: `path/of/image.jpg path/of/mask.png`, relative to <root>
  masks                8-bit single-channel PNG of class indices"""


class Pair(NamedTuple):
    """An image file, its mask file, and the line of the list that names them (from 1)."""

    image: Path
    mask: Path
    line: int


class PairsDataset(Dataset[dict[str, Tensor]]):
    """Images with index masks from a folder with lists.

    An item is {"image": (3, H, W) uint8 RGB, "mask": (H, W) int64}; mask values are indices into
    `labels`, or `ignore_index`. It is asked for by index, or by (epoch, index) where the
    transform shall vary with the epoch.

    Attributes:
        classes: Class names, as in classes.txt; without the last where that is `ignore_index`.
        labels: What to ask the text encoder for, class by class: the prompts, else the names.
        ignore_index: Mask value that counts neither in losses nor in metrics.
        names: Stem of each image's file name.
        pairs: The files of each item.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        ignore_index: int = 255,
        prompts: str | Path | None = None,
        transform: Callable[..., tuple[Tensor, Tensor]] | None = None,
        seed: int = 0,
    ) -> None:
        """Read the lists; images are opened later.

        Args:
            root: The folder; a relative path is looked up under LSEG_DATA (default `./data`).
            split: Name of the list without `.txt`.
            ignore_index: Mask value to leave out.
            prompts: JSON file {class name: prompt}, looked up as `root` is.
            transform: Called as `transform(image, mask, seed=(seed, epoch, index))`.
            seed: First part of the transform's seed.

        Raises:
            DataError: If the folder or one of its lists is missing, empty or malformed.
            LabelError: If class names repeat, or the prompts do not fit the classes.
        """
        self.root = resolve_data_path(root)
        self.split = split
        self.ignore_index = ignore_index
        self.transform = transform
        self.seed = seed
        if not self.root.is_dir():
            raise DataError(f"there is no data folder {self.root}.\n{_LAYOUT}")
        self.classes = _read_classes(self.root / "classes.txt")
        self.labels = list(self.classes)
        if prompts is not None:
            self.labels = load_prompts(resolve_data_path(prompts), self.classes)
        if ignore_index == len(self.classes) - 1 > 0:
            # CamVid's lists end with "unlabelled": a name for what no pixel shall be called.
            del self.classes[-1], self.labels[-1]
        elif 0 <= ignore_index < len(self.classes):
            raise DataError(
                f"ignore_index {ignore_index} is {self.classes[ignore_index]!r}, one of the "
                f"{len(self.classes)} classes of {self.root}; give the value of unlabelled pixels, "
                "which lies above those of the classes (mostly 255)"
            )
        self.pairs = _read_split(self.root, split)
        self.names = [pair.image.stem for pair in self.pairs]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pairs)

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """Return the image and mask of (epoch, index), transformed if there is a transform.

        Raises:
            DataError: If a file is missing, the sizes differ, or the mask has an unknown value.
            ImageError: If a file cannot be read.
            IndexError: If there is no such index.
        """
        epoch, index = split_key(key)
        image, mask = self.load(index)
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=(self.seed, epoch, index))
        return {"image": image, "mask": mask.long()}

    def load(self, index: int) -> tuple[Tensor, Tensor]:
        """Return the image, (3, H, W) uint8, and the mask, (H, W) uint8, as they are in the files.

        Raises:
            DataError, ImageError, IndexError: As for an item.
        """
        pair = self.pairs[index]
        for path in (pair.image, pair.mask):
            if not path.is_file():
                where = f"line {pair.line} of {self.root / self.split}.txt"
                raise DataError(f"{path}, named in {where}, does not exist.\n{_LAYOUT}")
        image = load_image(pair.image)
        mask = load_mask(pair.mask)
        height, width = mask.shape
        if image.size != (width, height):
            raise DataError(
                f"{pair.image} is {image.width}x{image.height} (width x height) but its mask "
                f"{pair.mask} is {width}x{height}; both must agree"
            )
        self.check_values(mask, pair.mask)
        return functional.pil_to_tensor(image), torch.from_numpy(mask)

    def pixel_counts(self) -> Tensor:
        """Pixels of each class in all masks, (N) int64; reads every mask, images are not opened.

        Raises:
            DataError, ImageError: As for an item.
        """
        counts = np.zeros(256, np.int64)
        for pair in self.pairs:
            mask = load_mask(pair.mask)
            self.check_values(mask, pair.mask)
            counts += np.bincount(mask.ravel(), minlength=256)
        return torch.from_numpy(counts[: len(self.classes)])

    def check_values(self, mask: np.ndarray, path: Path) -> None:
        """Raise if a mask has a value that is neither a class nor `ignore_index`.

        Raises:
            DataError: As it says.
        """
        wrong = (mask >= len(self.classes)) & (mask != self.ignore_index)
        if wrong.any():
            unknown = np.unique(mask[wrong]).tolist()
            raise DataError(
                f"{path} has the values {', '.join(map(str, unknown))}; accepted are 0 to "
                f"{len(self.classes) - 1} (the {len(self.classes)} classes) and "
                f"{self.ignore_index} (ignore_index)"
            )


def find_problems(dataset: PairsDataset) -> list[str]:
    """Return what is wrong with the files of a data set, a message each; reads all of them.

    Besides what makes an item fail: masks in which every pixel is ignored, and images that are
    listed twice.
    """
    problems = []
    seen: dict[Path, int] = {}
    for index, pair in enumerate(dataset.pairs):
        first = seen.setdefault(pair.image, pair.line)
        if first != pair.line:
            problems.append(f"{pair.image} is listed twice, on lines {first} and {pair.line}")
        try:
            _, mask = dataset.load(index)
        except LSegError as error:
            problems.append(str(error).splitlines()[0])
        else:
            if bool((mask == dataset.ignore_index).all()):
                problems.append(f"{pair.mask} has no labelled pixel: all are ignored")
    return problems


def _read_text(path: Path) -> str:
    """Return the text of one of the lists."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        there = ", ".join(sorted(p.name for p in path.parent.glob("*.txt"))) or "none"
        raise DataError(
            f"there is no file {path}; text files in that folder: {there}.\n{_LAYOUT}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _read_classes(path: Path) -> list[str]:
    """Return the class names; a line that is no name would shift the numbers of all that follow."""
    lines = _read_text(path).rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.strip().startswith("#"):
            raise DataError(
                f"line {number} of {path} names no class. Line i (from 0) names mask value i, so "
                "comments and empty lines have no place there"
            )
    if not lines:
        raise DataError(f"{path} names no class.\n{_LAYOUT}")
    return parse_labels(lines)


def _read_split(root: Path, split: str) -> list[Pair]:
    """Return the pairs of a split's list; empty lines are skipped."""
    path = root / f"{split}.txt"
    pairs = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if line.strip():
            image, mask = _split_line(root, line.strip(), f"line {number} of {path}")
            pairs.append(Pair(root / image, root / mask, number))
    if not pairs:
        raise DataError(f"{path} lists no image.\n{_LAYOUT}")
    return pairs


def _split_line(root: Path, line: str, where: str) -> tuple[str, str]:
    """Return the image and the mask that a line names: two words, or two names around a tab.

    Where names hold spaces and there is no tab, the files that exist decide.
    """
    if line.count("\t") == 1:
        image, mask = line.split("\t")
        return image.strip(), mask.strip()
    words = line.split()
    if len(words) == 2:
        return words[0], words[1]
    for gap in re.finditer(r"\s+", line):
        image, mask = line[: gap.start()], line[gap.end() :]
        if (root / image).is_file() and (root / mask).is_file():
            return image, mask
    raise DataError(
        f"{where} is {line!r}, which names no image and mask that exist. Separate the two with a "
        f"tab if names hold spaces.\n{_LAYOUT}"
    )
