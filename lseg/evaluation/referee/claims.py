"""Whether a claimed mIoU is pooled over the data set, as all published ones are, or averaged.

The mean of each picture's own mIoU, of each class's IoU over pictures, or of the IoU of every class
in every picture (`torchmetrics.segmentation.MeanIoU`), is another figure, often by ten points.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lseg.evaluation.metrics import ClassAreas
from lseg.evaluation.picture_areas import PictureAreas

_NAMES = {"miou", "meaniou"}
_ROUNDING = Decimal("1e-4")  # of figures with many digits, which other programs add up otherwise


class Claim(NamedTuple):
    """An mIoU that somebody states for the maps, in percent or as a share, and where."""

    miou: float
    source: str


def find_claims(tables: Mapping[Path, Mapping[str, Any]]) -> list[Claim]:
    """The mIoU in each of the JSON objects, at the top or one level below, however spelled."""
    return [
        Claim(float(value), path.name)
        for path, table in tables.items()
        for level in [table, *(inner for inner in table.values() if isinstance(inner, dict))]
        for key, value in level.items()
        if "".join(filter(str.isalnum, str(key).lower())) in _NAMES
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    ]


def judge_claim(claim: Claim, areas: PictureAreas) -> str | None:
    """What is wrong with a claimed mIoU; None if it is the pooled one."""
    pooled = 100 * areas.pooled().scores().miou
    if _is(claim.miou, pooled):
        return None
    stated = f"the mIoU of {claim.miou:g} in {claim.source}"
    for name, rule in _RULES.items():
        value = 100 * rule(areas)
        if _is(claim.miou, value):
            return (
                f"average: {stated} is {name} ({value:.2f}); the protocol pools intersections and "
                f"unions over all pictures first, which gives {pooled:.2f}"
            )
    return f"{stated} does not follow from these maps: pooled over all pictures it is {pooled:.2f}"


def _is(claimed: float, figure: float) -> bool:
    """Whether a claim is a figure in percent, as far as its digits go."""
    exact = Decimal(repr(float(claimed)))
    exponent = exact.as_tuple().exponent
    step = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    readings = [(exact, step)] + [(100 * exact, 100 * step)] * int(abs(claimed) <= 1)
    return any(
        abs(Decimal(figure) - value) <= max(width / 2, _ROUNDING) for value, width in readings
    )


def _mean(values: list[Tensor]) -> float:
    """Mean of numbers without the NaN."""
    return torch.stack(values).nanmean().item() if values else math.nan


def _of_pictures(areas: PictureAreas) -> float:
    return _mean([part.iou().nanmean() for part in areas.of_each_picture()])


def _of_pairs(areas: PictureAreas) -> float:
    return ClassAreas(*areas.areas.unbind(1)).iou().nanmean().item()


def _of_pictures_in_truth(areas: PictureAreas) -> float:
    return _mean([part.iou()[part.truth > 0].nanmean() for part in areas.of_each_picture()])


def _of_pictures_absent(areas: PictureAreas, absent: float) -> float:
    """Classes in neither count as `absent` in every picture."""
    count = areas.classes
    return _mean([
        (part.iou().sum() + absent * (count - len(part.both))) / count
        for part in areas.of_each_picture()
    ])  # fmt: skip


def _of_classes(areas: PictureAreas, in_truth: bool = False) -> float:
    """Mean over classes of the mean over the pictures that have the class."""
    both, truth, predicted = areas.areas.double().unbind(1)
    counted = truth > 0 if in_truth else torch.ones_like(truth, dtype=torch.bool)
    index = areas.index[counted]
    iou = (both / (truth + predicted - both))[counted]
    sums = torch.zeros(areas.classes, dtype=torch.double).index_add_(0, index, iou)
    return (sums / torch.bincount(index, minlength=areas.classes)).nanmean().item()


_RULES: dict[str, Callable[[PictureAreas], float]] = {
    "the mean of the pictures' own mIoU": _of_pictures,
    "the mean of the pictures' own mIoU over the classes of their truth": _of_pictures_in_truth,
    "the mean of the pictures' own mIoU, absent classes counted as 0": (
        lambda areas: _of_pictures_absent(areas, 0)
    ),
    "the mean of the pictures' own mIoU, absent classes counted as 1": (
        lambda areas: _of_pictures_absent(areas, 1)
    ),
    "the mean over every picture and class in it, as torchmetrics' MeanIoU": _of_pairs,
    "the mean of each class's IoU over the pictures": _of_classes,
    "the mean of each class's IoU over the pictures that show it": (
        lambda areas: _of_classes(areas, in_truth=True)
    ),
}
