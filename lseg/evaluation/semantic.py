"""Semantic segmentation of a whole data set with one label set: pooled IoU and pixel accuracy."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lseg.data.base.items import NamedData, SegmentationData
from lseg.data.base.labels import display_names, refuse_repeated
from lseg.evaluation.metrics import Scores, SegmentationMetric
from lseg.evaluation.picture_areas import AreaCounter, PictureAreas, distinct_names
from lseg.inference.sharding import Shard, gathered
from lseg.inference.views import ViewRule
from lseg.models.lseg import LSeg
from lseg.models.strips import label_map
from lseg.text.asking import AS_TRAINED, AnyAsking

ONE_PROCESS = Shard()


def evaluate(
    model: LSeg,
    data: SegmentationData,
    config: ViewRule,
    labels: Sequence[str] | None = None,
    workers: int = 0,
    progress: Any = None,
    asking: AnyAsking = AS_TRAINED,
    other: int | None = None,
) -> Scores:
    """Scores of `model` on every picture of `data`, at the pictures' own sizes.

    Args:
        model: In eval mode.
        data: Pictures and masks.
        config: How pictures are shown to the network.
        labels: What to ask for each mask index; the data set's own labels by default.
        workers: Processes that read pictures while the network computes.
        progress: Wraps the loader, such as `tqdm`.
        asking: How labels are asked for.
        other: The class of all that is none of the others; found by its label if not given.

    Raises:
        LabelError: If two classes are asked for by the same label, or by two that are one to the
            text encoder: which of them a pixel gets would be chance.
    """
    labels = list(labels or data.labels)
    metric = SegmentationMetric(len(labels), data.ignore_index).to(model.device)
    for answer in _answers(model, data, config, labels, asking, other, workers, progress):
        metric.update(*answer)
    scores = metric.compute()
    return scores._replace(iou=scores.iou.reshape(-1))  # torchmetrics squeezes that of one class


def evaluate_pictures(
    model: LSeg,
    data: NamedData,
    config: ViewRule,
    labels: Sequence[str] | None = None,
    workers: int = 0,
    progress: Any = None,
    asking: AnyAsking = AS_TRAINED,
    other: int | None = None,
    shard: Shard = ONE_PROCESS,
) -> PictureAreas:
    """As `evaluate`, with the areas of each picture; pooled they give the same scores.

    Args:
        model: As for `evaluate`.
        data: As for `evaluate`.
        config: As for `evaluate`.
        labels: As for `evaluate`.
        workers: As for `evaluate`.
        progress: As for `evaluate`.
        asking: As for `evaluate`.
        other: As for `evaluate`.
        shard: Which pictures this process counts; the areas are those of all processes.

    Raises:
        LabelError: As `evaluate`.
    """
    labels = list(labels or data.labels)
    counter = AreaCounter(len(labels), data.ignore_index)
    answers = _answers(model, data, config, labels, asking, other, workers, progress, shard)
    for name, answer in zip(shard.take(distinct_names(data.names)), answers, strict=True):
        counter.add(name, *answer)
    own = counter.finish()
    return PictureAreas.dealt(gathered(own)) if shard.world > 1 else own


class _Answer(NamedTuple):
    prediction: Tensor  # (1, H, W)
    truth: Tensor


def _answers(
    model: LSeg,
    data: SegmentationData,
    config: ViewRule,
    labels: list[str],
    asking: AnyAsking,
    other: int | None,
    workers: int,
    progress: Any,
    shard: Shard = ONE_PROCESS,
) -> Iterator[_Answer]:
    """What the network says of every picture, on its device; see `evaluate`."""
    refuse_repeated(labels, "the labels of the data set")
    question = asking.question(model.text, labels, model.device, other)
    question.warn_of_notes()
    loader: Iterable[dict[str, Tensor]] = DataLoader(
        data,  # type: ignore[arg-type]
        batch_size=None,
        sampler=shard.take(range(len(data))),
        num_workers=workers,
        pin_memory=model.device.type == "cuda",
    )
    for item in progress(loader) if progress else loader:
        with torch.inference_mode():
            prediction = label_map(config.maps(model, item["image"], question))
        yield _Answer(prediction, item["mask"][None].to(model.device))


def scores_to_json(scores: Scores, labels: Sequence[str]) -> dict[str, Any]:
    """Figures in percent; None where there is nothing to count, as for an absent class."""
    per_class = [_percent(iou) for iou in scores.iou.tolist()]
    return {
        "miou": _percent(scores.miou),
        "pixel_accuracy": _percent(scores.pixel_accuracy),
        "mean_accuracy": _percent(scores.mean_accuracy),
        "fw_iou": _percent(scores.fw_iou),
        "per_class": dict(zip(display_names(labels), per_class, strict=True)),
    }


def _percent(share: float) -> float | None:
    return None if math.isnan(share) else 100 * share
