"""Two tables of figures against one another, picture by picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lseg.errors import DataError, shown
from lseg.evaluation.bootstrap import RESAMPLES, SEED, Interval, interval, resampled_miou
from lseg.evaluation.figures import Protocol
from lseg.evaluation.picture_areas import PictureAreas
from lseg.evaluation.report import listed
from lseg.parsing import field, parse_json
from lseg.paths import user_path


@dataclass(frozen=True)
class FigureTable:
    """What a table of `lseg evaluate` says about its pictures.

    Attributes:
        name: Of the file.
        protocol: By which it was made.
        classes: Names of the N classes.
        areas: Of every picture.
    """

    name: str
    protocol: Protocol
    classes: tuple[str, ...]
    areas: PictureAreas


@dataclass(frozen=True)
class Difference:
    """The mIoU of one table less that of another, over the same pictures.

    Attributes:
        first: mIoU of the first table, in percent.
        second: mIoU of the second.
        interval: 95 % bootstrap interval of `first - second`, in points; None for one picture.
        pictures: Number of pictures.
        per_class: `first - second` of each class in points; None where one has no IoU.
    """

    first: float
    second: float
    interval: Interval | None
    pictures: int
    per_class: dict[str, float | None]

    @property
    def difference(self) -> float:
        """`first - second`, in points."""
        return self.first - self.second

    def to_json(self) -> dict[str, Any]:
        """Figures in percent and points."""
        return {
            "miou": [self.first, self.second],
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "pictures": self.pictures,
            "per_class": self.per_class,
        }

    def sentence(self, first: str, second: str) -> str:
        """The result in words, the tables called as given."""
        said = (
            f"{first} {self.first:.2f}, {second} {self.second:.2f} mIoU over {self.pictures} "
            f"pictures: {first} - {second} = {self.difference:+.2f}"
        )
        if self.interval is None:
            return said
        low, high = self.interval
        sure = "which leaves out 0" if low > 0 or high < 0 else "which holds 0: no clear winner"
        return f"{said}, 95 % interval {low:+.2f} to {high:+.2f}, {sure}"


def read_table(path: Path) -> FigureTable:
    """A table that `lseg evaluate --out` wrote.

    Raises:
        DataError: If it is missing or something else.
    """
    path = user_path(path, DataError)
    try:
        values = parse_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table of figures: {error}") from error
    parts = ("protocol", "classes", "areas")
    lacking = [part for part in parts if not isinstance(values, dict) or part not in values]
    if lacking:
        raise DataError(
            f"{path} has no {', '.join(lacking)}, so its pictures cannot be compared: give a file "
            "that `lseg evaluate --out` of this version has written"
        )
    try:
        classes = field(values, "classes", list)
        protocol = _protocol(field(values, "protocol", dict), len(classes))
        areas = PictureAreas.from_json(field(values, "areas", dict), len(classes))
    except ValueError as error:  # such as the DataError of the areas
        raise DataError(f"{path} is no table of `lseg evaluate --out`: {error}") from error
    return FigureTable(str(path), protocol, tuple(map(str, classes)), areas)


def _protocol(values: dict[str, Any], classes: int) -> Protocol:
    """What a table says of how it was made.

    Raises:
        ValueError: If something is lacking, unknown or of another type.
    """
    names = [one.name for one in fields(Protocol)]
    if sorted(values) != sorted(names):
        raise ValueError(f"`protocol` must be an object with {', '.join(names)}")
    found = Protocol(
        field(values, "dataset", str),
        field(values, "split", str),
        field(values, "ignore_index", int),
        field(values, "first", int),
    )
    if not 0 <= found.first <= classes:
        raise ValueError(f"its 'first' is {shown(found.first)}: it has {classes} classes")
    return found


def compare(
    first: FigureTable, second: FigureTable, resamples: int = RESAMPLES, seed: int = SEED
) -> Difference:
    """The paired difference of two tables' mIoU: both are resampled with the same pictures.

    Raises:
        DataError: If their protocols, classes, pictures or truths differ.
    """
    reason = next(_obstacles(first, second), None)
    if reason is not None:
        raise DataError(f"{first.name} and {second.name} cannot be compared: {reason}")
    skipped = first.protocol.first
    areas = (first.areas, second.areas.reordered(first.areas.names))
    iou = [part.pooled().iou() for part in areas]
    mious = [100 * part.pooled().scores(skipped).miou for part in areas]
    found = None
    if len(first.areas) > 1:
        drawn = [resampled_miou(part, skipped, resamples, seed) for part in areas]
        found = interval(100 * (drawn[0] - drawn[1]))
    points = (100 * (iou[0] - iou[1])).tolist()
    per_class = {
        name: None if point != point else point  # NaN
        for name, point in zip(first.classes, points, strict=True)
    }
    return Difference(mious[0], mious[1], found, len(first.areas), per_class)


def _obstacles(first: FigureTable, second: FigureTable) -> Iterator[str]:
    """Why two tables have nothing to do with one another."""
    for part in fields(Protocol):
        one, other = (getattr(table.protocol, part.name) for table in (first, second))
        if one != other:
            yield f"their {part.name} is {shown(one)} and {shown(other)}"
    if first.classes != second.classes:
        yield f"their labels differ, {_labels(first.classes, second.classes)}"
    ours, theirs = set(first.areas.names), set(second.areas.names)
    if ours != theirs:
        only = sorted(ours ^ theirs)
        yield (
            f"their pictures differ ({len(ours)} and {len(theirs)}); only one of them has "
            f"{listed(only)}"
        )
        return
    truths = [table.areas.reordered(first.areas.names).truths() for table in (first, second)]
    changed = [
        name for name, one, other in zip(first.areas.names, *truths, strict=True) if one != other
    ]
    if changed:
        yield (
            f"the truth of {len(changed)} picture(s) differs, as if masks, ignored pixels or the "
            f"background were treated otherwise: {listed(changed)}"
        )


def _labels(first: tuple[str, ...], second: tuple[str, ...]) -> str:
    if len(first) != len(second):
        return f"{len(first)} and {len(second)} of them"
    place = next(i for i, pair in enumerate(zip(first, second, strict=True)) if pair[0] != pair[1])
    return f"number {place} is {shown(first[place])} and {shown(second[place])}"
