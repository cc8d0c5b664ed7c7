"""Scores label maps that any program has made, and says what is wrong with them.

Figures are those of the maps as they are; what another reading would give stands in the warnings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lseg.data.base.items import NamedData
from lseg.errors import DataError
from lseg.evaluation.class_matching import ClassMatcher
from lseg.evaluation.figures import Protocol, table_to_json
from lseg.evaluation.metrics import confusion_matrix
from lseg.evaluation.picture_areas import AreaCounter, PictureAreas
from lseg.evaluation.referee.claims import Claim, find_claims, judge_claim
from lseg.evaluation.referee.evidence import RegionCounter
from lseg.evaluation.referee.index_traps import Columns, Evidence, Reading, find_other_reading
from lseg.evaluation.referee.label_maps import LabelMapFolder
from lseg.evaluation.referee.repeats import Repeats
from lseg.evaluation.report import listed


@dataclass(frozen=True)
class Verdict:
    """What the referee found.

    Attributes:
        areas: Of the pictures that have a map.
        warnings: A sentence for each thing that is wrong; its first word says what: `missing`,
            `twice`, `size`, `shift`, `order`, `average`, or another.
        reading: How the maps' numbers should have been read, if otherwise.
        missing: Pictures without a map.
    """

    areas: PictureAreas
    warnings: list[str]
    reading: Reading | None
    missing: list[str]

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Warnings, and the other reading as `matched`: its mIoU and what each value stands for."""
        matched = None
        if self.reading is not None:
            matched = {
                "miou_before": self.reading.miou_before,
                "miou": self.reading.miou_after,
                "classes": {str(value): classes[i] for value, i in self.reading.moved.items()},
            }
        return {"warnings": self.warnings, "matched": matched, "missing": self.missing}


def judge(
    data: NamedData,
    maps: LabelMapFolder,
    classes: Sequence[str],
    claims: Sequence[Claim] = (),
    workers: int = 0,
    progress: Any = None,
) -> Verdict:
    """Holds the label maps of a folder against the truth of every picture.

    A picture counts once, however often it is listed; one without a map does not count; a map of
    another size is scaled by nearest neighbour; a value that is no class counts as wrong.

    Args:
        data: Pictures and masks.
        maps: The label maps.
        classes: Names of the data set's N classes.
        claims: Figures that were stated for the maps, besides those in the folder's JSON files.
        workers: Processes that read pictures.
        progress: Wraps the loader, such as `tqdm`.

    Raises:
        DataError: If no picture has a map, or two different pictures have the same name.
        ImageError: If a file cannot be read.
    """
    court = _Court(classes, data.ignore_index, maps, Counter(_stem(name) for name in data.names))
    loader: Iterable[dict[str, Tensor]] = DataLoader(
        data,  # type: ignore[arg-type]
        batch_size=None,
        num_workers=workers,
    )
    items = progress(loader) if progress else loader
    for name, item in zip(data.names, items, strict=True):
        court.hear(name, item["image"].numpy(), item["mask"].numpy())
    return court.decide([*claims, *find_claims(maps.tables)])


def referee(
    data: NamedData,
    predictions: Path,
    classes: Sequence[str],
    protocol: Protocol,
    claimed: float | None = None,
    workers: int = 0,
    progress: Any = None,
) -> dict[str, Any]:
    """The table of the label maps in a folder or a COCO file; see `judge` and `Verdict.to_json`.

    Args:
        data: Pictures and masks.
        predictions: The folder or file.
        classes: Names of the data set's N classes.
        protocol: By which it is read.
        claimed: An mIoU that was stated for these maps, in percent or as a share.
        workers: Processes that read pictures.
        progress: Wraps the loader.

    Raises:
        DataError, ImageError: As `LabelMapFolder` and `judge`.
    """
    maps = LabelMapFolder(predictions, ClassMatcher(classes, data.labels))
    claims = [] if claimed is None else [Claim(claimed, "--claimed")]
    verdict = judge(data, maps, classes, claims, workers, progress)
    table = table_to_json(verdict.areas, classes, protocol)
    said = verdict.to_json(classes)
    areas = table.pop("areas")
    return {**table, **said, "areas": areas}  # the longest part last


class _Court:
    """Hears picture after picture, then decides."""

    def __init__(
        self,
        classes: Sequence[str],
        ignore_index: int,
        maps: LabelMapFolder,
        stems: Counter[str],
    ) -> None:
        self.classes, self.ignore_index, self.maps, self.stems = classes, ignore_index, maps, stems
        count = len(classes)
        self.columns = Columns(count)
        self.counter = AreaCounter(count, ignore_index)
        self.halves = torch.zeros(2, count, self.columns.count, dtype=torch.long)
        self.shown = torch.zeros(count, dtype=torch.long)
        self.regions = RegionCounter(ignore_index)
        self.repeats = Repeats()
        self.missing: list[str] = []
        self.sizes: list[str] = []
        self.turned = 0
        self.strays: set[int] = set()

    def hear(self, name: str, image: np.ndarray, truth: np.ndarray) -> None:
        """Counts a picture."""
        if self.repeats.is_repeated(name, image, truth):
            return
        found = self.maps.find(name, self.stems[_stem(name)] == 1)
        if not found:
            self.missing.append(name)
            return
        self.repeats.add_files(name, [one.source for one in found])
        values = found[0].read()
        self.repeats.add_map(name, values, image, truth)
        if values.shape != truth.shape:
            self.turned += values.shape == truth.shape[::-1]
            self.sizes.append(f"{name} ({_size(values)} instead of {_size(truth)})")
            values = resized(values, truth.shape)
        self._count(name, values, truth)

    def _count(self, name: str, values: np.ndarray, truth: np.ndarray) -> None:
        columns = self.columns.of(values)
        confusion = confusion_matrix(
            torch.from_numpy(columns),
            torch.from_numpy(truth),
            len(self.classes),
            self.ignore_index,
            self.columns.count,
        )
        self.counter.add_confusion(name, confusion)
        self.halves[self.regions.pictures % 2] += confusion
        self.shown += confusion.sum(1) > 0
        self.regions.add(columns, truth)
        outside = (columns >= len(self.classes)) & (truth != self.ignore_index)
        if len(self.strays) < 100:
            self.strays.update(np.unique(values[outside]).tolist())

    def decide(self, claims: Sequence[Claim]) -> Verdict:
        """Puts together what is wrong."""
        areas = self.counter.finish()
        if not len(areas):
            raise DataError(
                f"none of the {len(self.missing)} pictures has a label map in {self.maps.folder}: "
                f"looked for {listed(f'{_stem(name)}.png' for name in self.missing[:3])}; there "
                f"are {len(self.maps)} maps, of {self.maps.some()}"
            )
        counted = self.regions
        evidence = Evidence(
            self.halves.numpy(), self.shown.numpy(), counted.pictures, counted.regions
        )
        reading = find_other_reading(evidence, list(self.classes))
        warnings = [*self._missing(len(areas)), *self.repeats.warnings(), *self._sizes(len(areas))]
        warnings += [reading.sentence] if reading else self._strays(evidence.pooled)
        warnings += [said for claim in claims if (said := judge_claim(claim, areas)) is not None]
        return Verdict(areas, warnings, reading, self.missing)

    def _missing(self, counted: int) -> list[str]:
        if not self.missing:
            return []
        return [
            f"missing: {len(self.missing)} of {len(self.missing) + counted} pictures have no label "
            f"map, and the figures are over the other {counted}: {listed(self.missing)}"
        ]

    def _sizes(self, counted: int) -> list[str]:
        if not self.sizes:
            return []
        turned = f"; in {self.turned} of them width and height are exchanged" * bool(self.turned)
        return [
            f"size: {len(self.sizes)} of {counted} maps are not as large as the truth, and were "
            f"scaled by nearest neighbour: {listed(self.sizes)}{turned}"
        ]

    def _strays(self, pooled: np.ndarray) -> list[str]:
        outside = pooled[:, len(self.classes) :].sum()
        if not outside:
            return []
        share = 100 * outside / pooled.sum()
        what = listed(sorted(value for value in self.strays if value >= 0))
        unknown = listed(repr(label) for label in sorted(self.maps.unknown))
        said = f"values {what}" if what else "no label of the data set's"
        if unknown:
            said += f"; their labels {unknown} are none of its classes"
        return [
            f"no class: {share:.2g} % of the labelled pixels, which count as wrong, have {said}; "
            f"its {len(self.classes)} classes are 0 to {len(self.classes) - 1}"
        ]


def resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A label map in another height and width, from the nearest pixel centres."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(shape, values.shape, strict=True)
    )
    return values[rows][:, columns]


def _stem(name: str) -> str:
    return PurePosixPath(name).name


def _size(values: np.ndarray) -> str:
    return f"{values.shape[1]}x{values.shape[0]}"
