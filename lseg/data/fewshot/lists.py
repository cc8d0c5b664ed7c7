"""Where the lists of a benchmark come from: files, or the masks that there are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lseg.data.base.folder import AnnotatedFolder
from lseg.data.base.orientation import Orientation
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.splits import Line, read_fss
from lseg.data.sets.coco import CocoFolder
from lseg.data.sets.fss import FssFolder
from lseg.data.sets.voc import VocFolder
from lseg.errors import DataError, LSegError
from lseg.files import write_json
from lseg.parsing import parse_json
from lseg.paths import cache_dir, resolve_data_path

SMALLEST_SHARE = 0.001
"""Derived lists name a class for a picture if it covers at least this share of it."""

_FSS_LISTS = {Part.TRAIN: "trn", Part.TEST: "test"}


@dataclass(frozen=True)
class BenchmarkFolders:
    """A benchmark's folder and, if there are any, its split lists; and what its masks lie over."""

    root: Path
    splits: Path | None
    orientation: Orientation = "auto"

    @classmethod
    def find(
        cls, root: str, splits: str | None, orientation: Orientation | None = None
    ) -> BenchmarkFolders:
        """Looked up as data paths are.

        Raises:
            DataError: If a folder is missing.
        """
        found = [resolve_data_path(path) for path in (root, splits) if path is not None]
        for path in found:
            if not path.is_dir():
                raise DataError(f"there is no folder {path}")
        return cls(found[0], found[1] if splits is not None else None, orientation or "auto")


def voc_folder(folders: BenchmarkFolders, part: Part) -> VocFolder:
    """The pictures of PASCAL-5i.

    Raises:
        DataError: If the folders are not there.
    """
    folder = VocFolder(folders.root, part.split)
    folder.orientation = folders.orientation
    return folder


def coco_folder(folders: BenchmarkFolders, part: Part) -> CocoFolder:
    """The pictures of COCO-20i.

    Raises:
        DataError: If there are no annotations.
    """
    folder = CocoFolder(folders.root, part.split)
    folder.orientation = folders.orientation
    return folder


def fss_folder(folders: BenchmarkFolders, part: Part) -> FssFolder:
    """The classes of FSS-1000 that a part is made of, by `fss/trn.txt` and `fss/test.txt`.

    Without these the sorted class folders are divided as the published lists divide them: the first
    52 % train, the next 24 % validate, the last 24 % (at least one) test.

    Raises:
        DataError: If there is no such folder, a class of the list has none, or they are too few.
    """
    if folders.splits is not None:
        path = folders.splits / "fss" / f"{_FSS_LISTS[part]}.txt"
        return _fss_folder(folders, read_fss(path))
    found = FssFolder(folders.root)
    names = found.classes
    test = max(1, round(0.24 * len(names)))
    chosen = names[-test:] if part is Part.TEST else names[: round(0.52 * len(names))]
    if not chosen:
        raise DataError(f"{len(names)} classes in {found.root} are too few for training")
    return _fss_folder(folders, chosen)


def _fss_folder(folders: BenchmarkFolders, classes: Sequence[str]) -> FssFolder:
    folder = FssFolder(folders.root, classes)
    folder.orientation = folders.orientation
    return folder


def derived_lines(
    folder: AnnotatedFolder, classes: Iterable[int], progress: Any = None
) -> list[Line]:
    """A list made from masks, in place of a published one.

    It names a class for every picture where the class covers at least a thousandth of the pixels,
    ordered by picture, then class. The areas are cached: all folds come from one reading.

    Args:
        folder: Its pictures are listed.
        classes: Indices of the classes to list.
        progress: Wraps the stems while masks are read, such as `tqdm`.

    Raises:
        DataError: If the folder has no pictures, a mask is unreadable, or no class occurs.
    """
    wanted = set(classes)
    shares = _class_shares(folder, progress)
    lines = [
        Line(stem, index)
        for stem, found in shares.items()
        for index, share in found
        if index in wanted and share >= SMALLEST_SHARE
    ]
    if not lines:
        names = ", ".join(folder.classes[index] for index in sorted(wanted)[:5])
        raise DataError(
            f"no mask of {folder.name} has a class of this fold ({names}, ...). Expected: "
            f"{folder.layout}"
        )
    return lines


def _class_shares(folder: AnnotatedFolder, progress: Any) -> dict[str, list[tuple[int, float]]]:
    """For every picture the classes of its mask with their shares of the pixels; cached."""
    cached = cache_dir() / "splits" / f"{folder.name}-{_fingerprint(folder)}.json"
    with suppress(OSError, ValueError):  # none yet, or a damaged one
        found: dict[str, list[tuple[int, float]]] = parse_json(cached.read_text("utf-8"))
        return found
    shares = {}
    for stem in progress(folder.stems) if progress else folder.stems:
        mask = folder.mask(stem)
        values, counts = np.unique(mask[mask >= 0], return_counts=True)
        shares[stem] = [
            (int(value), float(count / mask.size))
            for value, count in zip(values, counts, strict=True)
        ]
    with suppress(OSError, LSegError):  # a cache that cannot be written only costs time
        write_json(cached, shares)
    return shares


def _fingerprint(folder: AnnotatedFolder) -> str:
    """Changes when a mask does."""
    digest = hashlib.sha256(repr((folder.name, folder.classes, folder.reading)).encode())
    seen: dict[Path, str] = {}
    for stem in folder.stems:
        path = folder.mask_path(stem)
        if path not in seen:  # one file may hold all masks
            seen[path] = str(path)
            if path.is_file():  # if not, reading it says so
                status = path.stat()
                seen[path] += f" {status.st_size} {status.st_mtime_ns}"
        digest.update(f"{stem} {seen[path]}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:20]
