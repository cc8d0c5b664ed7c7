"""COCO panoptic 2017: the 133 things and stuff, from the panoptic PNGs and their JSON.

Layout, as published (cocodataset.org, panoptic_annotations_trainval2017.zip)::

    annotations/panoptic_val2017.json
    annotations/panoptic_val2017/000000000139.png   or panoptic_val2017/ beside annotations
    val2017/000000000139.jpg                        or images/val2017/

A PNG is RGB; the number of a pixel's segment is R + 256 G + 65536 B, and the JSON says for each
picture which segment has which category. Segment 0 is void and ignored. Classes are in the order of
their ids (`lseg/assets/labels/coco_panoptic.csv`). A crowd counts as its class. (github.com/
cocodataset/panopticapi)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from lseg.data.base.folder import IGNORE, AnnotatedFolder
from lseg.data.base.images import load_image
from lseg.data.sets.coco_categories import Categories, panoptic_categories
from lseg.data.sets.coco_file import CocoFile, identity_of, short
from lseg.data.sets.coco_layout import CocoLayout
from lseg.errors import DataError

_LARGEST = 2**24 - 1  # what three channels can hold


class _Panoptic(NamedTuple):
    """Of a picture: the annotation's name in messages, its PNG, and the list of its segments."""

    label: str
    png: Any
    segments: Any


class CocoPanopticFolder(AnnotatedFolder):
    """All 133 categories, void ignored. A stem is a picture's file name.

    Attributes:
        prompts: What to ask a text encoder for, class by class.
    """

    name = "coco_panoptic"
    licence = "annotations CC BY 4.0; each photo under its own licence (Flickr)"
    ignore_value = 0
    layout = (
        "<root>/{train,val}2017/<name>.jpg (or under <root>/images), "
        "<root>/annotations/panoptic_{train,val}2017.json and "
        "<root>/annotations/panoptic_{train,val}2017/<name>.png (or beside annotations)"
    )

    def __init__(self, root: Path, split: str = "val") -> None:
        """Find the folders.

        Args:
            root: See `CocoLayout`.
            split: `train` or `val`.

        Raises:
            DataError: If a folder or the JSON is missing.
        """
        own = panoptic_categories()
        self.classes = tuple(category.name for category in own)
        self.prompts = tuple(category.prompt for category in own)
        self._categories = Categories.numbered((category.id, category.name) for category in own)
        self._files = CocoLayout(root, split, self.layout)
        title = f"panoptic_{self._files.part}"
        self._json = self._files.annotations / f"{title}.json"
        places = [self._files.annotations / title, self._files.root / title]
        self._pngs = next((place for place in places if place.is_dir()), places[0])
        if not self._json.is_file() or not self._pngs.is_dir():
            raise DataError(
                f"there is no {'folder' if self._json.is_file() else 'file'} "
                f"{self._pngs if self._json.is_file() else self._json} (the PNGs come in "
                f"an archive of their own, inside that of the JSON).\nExpected: {self.layout}"
            )

    @cached_property
    def stems(self) -> Sequence[str]:
        """The pictures that have an annotation, by name."""
        if not self._annotated:
            raise self._file.error(f"annotates no picture.\nExpected: {self.layout}")
        return sorted(self._annotated)

    def image_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self._files.images / stem

    def mask_path(self, stem: str) -> Path:
        """The PNG that the annotation names."""
        label, png, _ = self._of(stem)
        name = PurePosixPath(png).name if isinstance(png, str) else ""
        if not name or "\0" in name:
            raise self._error(label, stem, f"has the file_name {short(png)}: give that of its PNG")
        return self._pngs / name

    def listed(self, stem: str) -> str:
        """The JSON."""
        return f"which {self._json} names"

    def decode_mask(self, stem: str) -> np.ndarray:
        """See `AnnotatedFolder`."""
        path = self.mask_path(stem)
        numbers, classes = self._segments(stem)
        red, green, blue = np.moveaxis(np.asarray(load_image(path, upright=False)), -1, 0)
        values = red + green.astype(np.int64) * 256 + blue.astype(np.int64) * 65536
        places = np.minimum(np.searchsorted(numbers, values), len(numbers) - 1)
        unknown = numbers[places] != values
        if unknown.any():
            first = int(values[unknown][0])
            raise self._error(
                self._of(stem).label,
                stem,
                f"does not list segment {first}, which {path} shows ({int(unknown.sum())} pixels "
                "of such segments). The number of a pixel is R + 256 G + 65536 B: is the PNG of "
                "another version, or was it saved in other colours?",
            )
        return classes[places]

    def _segments(self, stem: str) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of a picture's segments, ascending, and the class of each; 0 is ignored."""
        label, _, segments = self._of(stem)
        if not isinstance(segments, list) or not all(isinstance(s, dict) for s in segments):
            raise self._error(
                label,
                stem,
                f"has the segments_info {short(segments)}: it must be a list of objects",
            )
        classes = {0: IGNORE}
        for segment in segments:
            number = identity_of(segment.get("id")) or ""
            if not number.isdecimal() or not 0 < int(number) <= _LARGEST or int(number) in classes:
                raise self._error(
                    label,
                    stem,
                    f"has a segment of the id {short(segment.get('id'))}: accepted are 1 to "
                    f"{_LARGEST}, each once",
                )
            index = self._categories.indices.get(identity_of(segment.get("category_id")) or "")
            if index is None:
                raise self._error(
                    label,
                    stem,
                    f"has a segment of the category_id {short(segment.get('category_id'))}, which "
                    f"is none of COCO's {len(self.classes)}: correct it",
                )
            classes[int(number)] = index
        numbers = sorted(classes)
        return np.array(numbers), np.array([classes[number] for number in numbers], np.int16)

    def _of(self, stem: str) -> _Panoptic:
        found = self._annotated.get(stem)
        if found is None:
            raise self._file.error(f"has no annotation of a picture {stem!r}")
        return found

    def _error(self, label: str, stem: str, what: str) -> DataError:
        return DataError(f"{self._json}: {label} of {stem!r} {what}")

    @cached_property
    def _file(self) -> CocoFile:
        file = CocoFile(self._json)
        self._categories.check(file)
        return file

    @cached_property
    def _annotated(self) -> dict[str, _Panoptic]:
        """The annotation of each picture that has one."""
        found: dict[str, _Panoptic] = {}
        pictures = self._file.pictures(keep_folders=False)
        for listed, label, entry in self._file.annotations(pictures):
            if listed.name in found:
                raise self._file.error(
                    f"has two annotations of {listed.name!r}: a panoptic one covers the picture, "
                    "remove the other"
                )
            found[listed.name] = _Panoptic(
                label, entry.get("file_name"), entry.get("segments_info")
            )
        return found
