"""Label maps that any program has written: index PNGs, COCO masks, `lseg predict`'s own files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np

from lseg.data.base.images import load_mask
from lseg.errors import DataError
from lseg.evaluation.class_matching import NO_CLASS, ClassMatcher
from lseg.evaluation.referee.coco_maps import CocoFile, is_instances
from lseg.evaluation.report import listed
from lseg.parsing import parse_json
from lseg.paths import user_path

_LAYOUT = (
    "Label maps are <stem of the picture>.png with an index a pixel, in the data set's class "
    "order; or a COCO instances JSON (`lseg predict --format coco`)"
)


class LabelMap(Protocol):
    """A picture's label map in a file."""

    @property
    def source(self) -> str:
        """What to call it in messages."""
        ...

    def read(self) -> np.ndarray:
        """Return (H, W) int64: class indices, `NO_CLASS`, or whatever the file has.

        Raises:
            DataError, ImageError: If the file is no label map.
        """
        ...


class LabelMapFolder:
    """The label maps of a folder, by the names of a data set's pictures.

    `<stem>.png` holds indices in the data set's class order, unless a `<stem>.json` beside it names
    the labels, as `lseg predict` writes it: then names decide. PNGs may lie in folders below. A
    JSON with COCO instances is read by the names of its categories.

    Attributes:
        unknown: Labels met so far that no class of the data set has.
        tables: The other JSON files with an object: tables of figures, maybe.
    """

    def __init__(self, folder: Path, matcher: ClassMatcher) -> None:
        """Lists the files.

        Args:
            folder: A folder, or a COCO instances JSON; `~` is expanded.
            matcher: Finds the classes of labels.

        Raises:
            DataError: If there is no such folder, or no label map in it.
        """
        folder = user_path(folder, DataError)
        self.folder = folder
        self.unknown: set[str] = set()
        self.tables: dict[Path, dict[str, Any]] = {}
        self._matcher = matcher
        self._by_path: dict[str, list[LabelMap]] = defaultdict(list)
        self._by_stem: dict[str, list[LabelMap]] = defaultdict(list)
        if not folder.exists():
            raise DataError(f"there is no folder {folder} with predictions. {_LAYOUT}")
        root = folder if folder.is_dir() else folder.parent
        found = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
        pngs = [path for path in found if path.suffix.lower() == ".png" and path.is_file()]
        stems = {path.with_suffix("") for path in pngs}
        for path in pngs:
            if path.stem.endswith(".overlay") and path.with_suffix("").with_suffix("") in stems:
                continue  # a picture of a label map, from `lseg predict`
            self._add(path.relative_to(root).with_suffix("").as_posix(), _Png(path, self))
        for path in found:
            if path.suffix.lower() == ".json" and path.with_suffix("") not in stems:
                self._read_json(path)
        if not self._by_path:
            raise DataError(f"{folder} holds no label map. {_LAYOUT}")

    def __len__(self) -> int:
        """Return the number of label maps."""
        return sum(map(len, self._by_path.values()))

    def find(self, name: str, unique_stem: bool = True) -> list[LabelMap]:
        """The maps of a picture: one, if all is well; the nearest to the top first.

        Args:
            name: Of the picture, maybe with folders.
            unique_stem: Whether no other picture has the same stem; if so, the stem is enough.
        """
        found = list(self._by_path.get(name, []))
        stem = PurePosixPath(name).name
        if unique_stem and (not found or stem == name):
            found += [one for one in self._by_stem.get(stem, []) if one not in found]
        return found

    def some(self) -> str:
        """A few of the maps' names, for messages."""
        return listed(self._by_path, 3)

    def sidecar(self, path: Path) -> list[int] | None:
        """The class of each index of a PNG, where a JSON beside it names its labels."""
        values = _json(path.with_suffix(".json"))
        labels = values.get("labels") if isinstance(values, dict) else None
        if not isinstance(labels, list) or not all(_is_label(entry) for entry in labels):
            return None
        names = {entry["index"]: entry["label"] for entry in labels}
        if sorted(names) != list(range(len(names))):
            return None
        return self.classes_of([names[index] for index in range(len(names))])

    def classes_of(self, labels: Sequence[str]) -> list[int]:
        """The class of each label; those of none are kept in `unknown`."""
        found = self._matcher.find_all(labels)
        self.unknown.update(
            label for label, index in zip(labels, found, strict=True) if index == NO_CLASS
        )
        return found

    def _read_json(self, path: Path) -> None:
        values = _json(path)
        if is_instances(values):
            file = CocoFile(path, values, self.classes_of, self._matcher.background)
            for one in file.maps():
                self._add(PurePosixPath(one.file_name).with_suffix("").as_posix(), one)
        elif isinstance(values, dict):
            self.tables[path] = values

    def _add(self, name: str, found: LabelMap) -> None:
        self._by_path[name].append(found)
        self._by_stem[PurePosixPath(name).name].append(found)


class _Png:
    """An index PNG."""

    def __init__(self, path: Path, folder: LabelMapFolder) -> None:
        self.path = path
        self._folder = folder

    @property
    def source(self) -> str:
        return self.path.relative_to(self._folder.folder).as_posix()

    @cached_property
    def _classes(self) -> list[int] | None:
        return self._folder.sidecar(self.path)

    def read(self) -> np.ndarray:
        values = load_mask(self.path).astype(np.int64)
        if self._classes is None:
            return values
        table = np.array([*self._classes, NO_CLASS])
        return table[np.minimum(values, len(table) - 1)]


def _is_label(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("index"), int)
        and isinstance(entry.get("label"), str)
    )


def _json(path: Path) -> Any:
    """What a JSON file holds; None if there is none, or it holds none."""
    try:
        return parse_json(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
