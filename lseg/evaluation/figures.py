"""All figures of a data set from the areas of its pictures, and the table that keeps them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lseg.evaluation.bootstrap import miou_interval
from lseg.evaluation.class_matching import plain
from lseg.evaluation.generalised import mean_of
from lseg.evaluation.picture_areas import PictureAreas
from lseg.evaluation.semantic import scores_to_json


@dataclass(frozen=True)
class Protocol:
    """What two tables must have in common to be compared, besides pictures and classes.

    How a model is shown the pictures (scales, windows, prompts) is not part of it.

    Attributes:
        dataset: As `--dataset` names it.
        split: List of pictures.
        ignore_index: Mask value that does not count.
        first: The class from which on the mean is taken; 1 leaves out a background at 0.
    """

    dataset: str
    split: str
    ignore_index: int
    first: int = 0


def figures_to_json(
    areas: PictureAreas,
    classes: Sequence[str],
    training: Collection[str] | None = None,
    first: int = 0,
) -> dict[str, Any]:
    """Figures in percent; None where there is nothing to count.

    Args:
        areas: Of every picture.
        classes: Names of the N classes.
        training: Labels that the training showed, if known: adds `seen_miou` and `unseen_miou`.
        first: The class from which on means are taken.

    Returns:
        `miou`, its 95 % bootstrap interval `miou_interval` ([low, high]; None for one picture),
        `pixel_accuracy`, `mean_accuracy`, `fw_iou`, `per_class`, and the number of `pictures`.
    """
    figures = scores_to_json(areas.pooled().scores(first), classes)
    found = miou_interval(areas, first)
    per_class = figures.pop("per_class")
    figures["miou_interval"] = None if found is None else [100 * edge for edge in found]
    if training is not None:
        counted = dict(list(zip(classes, per_class.values(), strict=True))[first:])
        figures |= seen_figures(counted, training)
    return {**figures, "per_class": per_class, "pictures": len(areas)}


def seen_figures(
    per_class: Mapping[str, float | None], training: Collection[str]
) -> dict[str, float | None]:
    """`seen_miou` and `unseen_miou` in percent, None without a class to count.

    A class is seen if the training had it, or one of its synonyms, among its labels or theirs,
    however written (`pottedplant`, `potted plant`).
    """
    known = {plain(name) for label in training for name in label.split("|")}
    seen = [any(plain(name) in known for name in label.split("|")) for label in per_class]
    pairs = list(zip(seen, per_class.values(), strict=True))
    return {
        "seen_miou": mean_of([iou for is_seen, iou in pairs if is_seen]),
        "unseen_miou": mean_of([iou for is_seen, iou in pairs if not is_seen]),
    }


def table_to_json(
    areas: PictureAreas,
    classes: Sequence[str],
    protocol: Protocol,
    training: Collection[str] | None = None,
) -> dict[str, Any]:
    """Figures with what `lseg.evaluation.comparison` needs: protocol, classes, areas of pictures.

    The areas are a line a picture; for 5,000 pictures of 30 classes each they take 3 MB. For the
    arguments see `figures_to_json`.
    """
    return {
        **figures_to_json(areas, classes, training, protocol.first),
        "protocol": asdict(protocol),
        "classes": list(classes),
        "areas": areas.to_json(),
    }
