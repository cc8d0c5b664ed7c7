"""Figures with examples: several draws of them against text alone, on the same pictures."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lseg.data.base.items import NamedData
from lseg.evaluation.generalised import mean_of
from lseg.evaluation.picture_areas import AreaCounter, PictureAreas, distinct_names
from lseg.evaluation.semantic import ONE_PROCESS, scores_to_json
from lseg.inference.sharding import Shard, gathered
from lseg.inference.views import InferenceConfig, ViewRule, maps_of_questions
from lseg.models.lseg import LSeg
from lseg.models.maps import Maps
from lseg.models.strips import label_map
from lseg.text.question import Question


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


def evaluate_questions(
    model: LSeg,
    data: NamedData,
    rule: ViewRule,
    questions: Sequence[Question],
    workers: int = 0,
    progress: Any = None,
    shard: Shard = ONE_PROCESS,
) -> list[PictureAreas]:
    """Areas of every picture of `data` for each of several questions about the same classes.

    Args:
        model: In eval mode; sees each picture once.
        data: Pictures and masks.
        rule: How pictures are shown to the network.
        questions: What is asked.
        workers: Processes that read pictures while the network computes.
        progress: Wraps the loader, such as `tqdm`.
        shard: Which pictures this process counts; the areas are those of all processes.
    """
    counters = [AreaCounter(len(one.names), data.ignore_index) for one in questions]
    loader: Iterable[dict[str, Tensor]] = DataLoader(
        data,  # type: ignore[arg-type]
        batch_size=None,
        sampler=shard.take(range(len(data))),
        num_workers=workers,
        pin_memory=model.device.type == "cuda",
    )
    items = progress(loader) if progress else loader
    names = shard.take(distinct_names(data.names))
    for name, item in zip(names, items, strict=True):
        truth = item["mask"][None].to(model.device)
        with torch.inference_mode():
            every = _maps(model, item["image"], rule, questions)
            for counter, maps in zip(counters, every, strict=True):
                counter.add(name, label_map(maps), truth)
    own = [counter.finish() for counter in counters]
    if shard.world == 1:
        return own
    return [PictureAreas.dealt(gathered(areas)) for areas in own]


def _maps(
    model: LSeg, image: Tensor, rule: ViewRule, questions: Sequence[Question]
) -> Sequence[Maps]:
    if isinstance(rule, InferenceConfig):
        return maps_of_questions(model, image, questions, rule)
    return [rule.maps(model, image, question) for question in questions]


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
