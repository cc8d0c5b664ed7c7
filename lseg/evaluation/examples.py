"""Figures with examples: several draws of them against text alone, on the same pictures."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lseg.evaluation.generalised import mean_of
from lseg.evaluation.picture_areas import PictureAreas
from lseg.evaluation.semantic import scores_to_json


@dataclass(frozen=True)
class Draw:
    """Some examples.

    Attributes:
        seed: By which they were drawn.
        taught: The classes that have some.
        examples: Their number.
        areas: What the model then says of each picture.
    """

    seed: int
    taught: Sequence[int]
    examples: int
    areas: PictureAreas


def draws_to_json(
    draws: Sequence[Draw], text: PictureAreas, classes: Sequence[str], first: int = 0
) -> dict[str, Any]:
    """Means over the draws in percent, their spread, each draw, and text alone.

    Args:
        draws: At least one.
        text: What the model says without examples.
        classes: Names.
        first: The class from which on means are taken.
    """
    plain = scores_to_json(text.pooled().scores(first), classes)
    runs = [_run(draw, plain, classes, first) for draw in draws]
    mious = [run["miou"] for run in runs]
    per_class = {
        name: mean_of([run["per_class"][name] for run in runs]) for name in plain["per_class"]
    }
    figures = {key: mean_of([run[key] for run in runs]) for key in ("miou", "pixel_accuracy")}
    return {
        **figures,
        "gain": mean_of([run["gain"] for run in runs]),
        "miou_spread": statistics.stdev(mious) if len(mious) > 1 else 0.0,
        "taught_gain": mean_of([run["taught_gain"] for run in runs]),
        "untaught_gain": mean_of([run["untaught_gain"] for run in runs]),
        "per_class": per_class,
        "text": plain,
        "runs": runs,
    }


def _run(draw: Draw, text: dict[str, Any], classes: Sequence[str], first: int) -> dict[str, Any]:
    figures = scores_to_json(draw.areas.pooled().scores(first), classes)
    names = list(figures["per_class"])
    gains = [
        None if iou is None or (before := text["per_class"][name]) is None else iou - before
        for name, iou in figures["per_class"].items()
    ]
    counted = range(first, len(names))
    return {
        "seed": draw.seed,
        **figures,
        "gain": figures["miou"] - text["miou"],
        "taught": [names[index] for index in draw.taught],
        "taught_gain": mean_of([gains[i] for i in counted if i in draw.taught]),
        "untaught_gain": mean_of([gains[i] for i in counted if i not in draw.taught]),
        "examples": draw.examples,
    }
