"""Folders of few-shot benchmarks: what they have in common, and lists derived from their masks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from lseg.data.base.images import load_image
from lseg.data.base.sources import Entry, Part, classes_by_picture
from lseg.data.fewshot.splits import Line
from lseg.errors import DataError
from lseg.files import write_json
from lseg.paths import cache_dir, resolve_data_path

SMALLEST_SHARE = 0.001
"""Derived lists name a class for a picture if it covers at least this share of it."""


@dataclass(frozen=True)
class Place:
    """A benchmark's folder and, if there are any, its split lists."""

    root: Path
    splits: Path | None

    @classmethod
    def named(cls, root: str, splits: str | None) -> Place:
        """Looked up as data paths are.

        Raises:
            DataError: If a folder is missing.
        """
        found = [resolve_data_path(path) for path in (root, splits) if path is not None]
        for path in found:
            if not path.is_dir():
                raise DataError(f"there is no folder {path}")
        return cls(found[0], found[1] if splits is not None else None)


class Tree(Protocol):
    """A benchmark's folder; a stem identifies a picture and its mask.

    Attributes:
        name: Of the benchmark.
        classes: Class names.
        offset: See `MaskSource`.
        ignore: See `MaskSource`.
        layout: The folders expected, for messages.
    """

    name: str
    classes: tuple[str, ...]
    offset: int
    ignore: bool
    layout: str

    def image_path(self, stem: str) -> Path:
        """Return where a picture lies."""
        ...

    def mask_path(self, stem: str) -> Path:
        """Return the file that its mask is read from."""
        ...

    def mask(self, stem: str) -> np.ndarray:
        """Return a mask; see `MaskSource.mask`."""
        ...

    def stems(self, part: Part) -> list[str]:
        """Return the pictures that derived lists choose from, sorted.

        Raises:
            DataError: If there are none.
        """
        ...


class ListedSource:
    """Pictures of a tree that a list names; a `MaskSource`."""

    def __init__(self, tree: Tree, lines: Sequence[Line]) -> None:
        """Numbers the pictures in the order in which the lines first name them."""
        self.tree = tree
        self.name, self.classes = tree.name, tree.classes
        self.offset, self.ignore = tree.offset, tree.ignore
        self.stems = list(dict.fromkeys(line.stem for line in lines))
        numbers = {stem: number for number, stem in enumerate(self.stems)}
        self.entries = [Entry(numbers[line.stem], line.class_index) for line in lines]
        self._present = classes_by_picture(self.entries)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.stems)

    def stem(self, index: int) -> str:
        """See `MaskSource`."""
        return self.stems[index]

    def image(self, index: int) -> Image.Image:
        """See `MaskSource`."""
        path = self.tree.image_path(self.stems[index])
        return load_image(self._existing(path), upright=False)

    def mask(self, index: int) -> np.ndarray:
        """See `MaskSource`."""
        self._existing(self.tree.mask_path(self.stems[index]))
        return self.tree.mask(self.stems[index])

    def present(self, index: int) -> tuple[int, ...]:
        """See `MaskSource`."""
        return self._present[index]

    def _existing(self, path: Path) -> Path:
        if not path.is_file():
            raise DataError(
                f"{path}, which the list names, does not exist. Expected: {self.tree.layout}"
            )
        return path


def derived_lines(
    tree: Tree, part: Part, classes: Iterable[int], progress: Any = None
) -> list[Line]:
    """A list made from masks, in place of a published one.

    It names a class for every picture where the class covers at least a thousandth of the pixels,
    ordered by picture, then class. The areas are cached: all folds come from one reading.

    Args:
        tree: The folder.
        part: Which pictures.
        classes: Indices of the classes to list.
        progress: Wraps the stems while masks are read, such as `tqdm`.

    Raises:
        DataError: If the tree has no pictures, a mask is unreadable, or no class occurs.
    """
    wanted = set(classes)
    shares = _class_shares(tree, tree.stems(part), progress)
    lines = [
        Line(stem, index)
        for stem, found in shares.items()
        for index, share in found
        if index in wanted and share >= SMALLEST_SHARE
    ]
    if not lines:
        names = ", ".join(tree.classes[index] for index in sorted(wanted)[:5])
        raise DataError(
            f"no mask of {tree.name} has a class of this fold ({names}, ...). Expected: "
            f"{tree.layout}"
        )
    return lines


def _class_shares(
    tree: Tree, stems: list[str], progress: Any
) -> dict[str, list[tuple[int, float]]]:
    """For every picture the classes of its mask with their shares of the pixels; cached."""
    cached = cache_dir() / "splits" / f"{tree.name}-{_fingerprint(tree, stems)}.json"
    if cached.is_file():
        found: dict[str, list[tuple[int, float]]] = json.loads(cached.read_text("utf-8"))
        return found
    shares = {}
    for stem in progress(stems) if progress else stems:
        mask = tree.mask(stem)
        values, counts = np.unique(mask[mask >= 0], return_counts=True)
        shares[stem] = [
            (int(value), float(count / mask.size))
            for value, count in zip(values, counts, strict=True)
        ]
    write_json(cached, shares)
    return shares


def _fingerprint(tree: Tree, stems: list[str]) -> str:
    """Changes when a mask does."""
    digest = hashlib.sha256(repr((tree.name, tree.classes)).encode())
    seen: dict[Path, str] = {}
    for stem in stems:
        path = tree.mask_path(stem)
        if path not in seen:  # one file may hold all masks
            status = path.stat()
            seen[path] = f"{path} {status.st_size} {status.st_mtime_ns}"
        digest.update(f"{stem} {seen[path]}\n".encode())
    return digest.hexdigest()[:20]
