"""Zero-shot and few-shot segmentation by the benchmarks' protocol: `others` against one class."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lseg.data.fewshot.episode_data import EpisodeData, EpisodeTensors
from lseg.evaluation.areas import FewShotScores, episode_areas, scores_from_areas
from lseg.evaluation.supports import DEFAULT_WEIGHT, support_question
from lseg.inference.sharding import Shard
from lseg.models.lseg import LSeg
from lseg.models.strips import label_map
from lseg.models.taught import picture_logits
from lseg.text.distinct import refuse_equal


@dataclass(frozen=True)
class FewShotConfig:
    """How episodes are answered.

    Attributes:
        background: The label of all that is not the class.
        visual_weight: Of supports against text, in [0, 1]; see `support_question`.
        batch_size: Episodes at a time.
        workers: Processes that read pictures while the network computes.
    """

    background: str = "others"
    visual_weight: float = DEFAULT_WEIGHT
    batch_size: int = 4
    workers: int = 0


ONE_PROCESS = Shard()


class EpisodeAnswer(NamedTuple):
    """An episode's number and what the network said: (s, s) of 0 and 1."""

    number: int
    prediction: Tensor


@dataclass(frozen=True)
class FoldData:
    """The episodes of a fold.

    Attributes:
        fold: Its number.
        data: Pictures and masks.
        classes: Class indices that the scores are over.
        labels: What to ask for, class by class.
    """

    fold: int
    data: EpisodeData
    classes: tuple[int, ...]
    labels: tuple[str, ...]


@torch.inference_mode()
def fold_areas(
    model: LSeg,
    fold: FoldData,
    config: FewShotConfig,
    shard: Shard = ONE_PROCESS,
    progress: Callable[[Iterable[EpisodeTensors]], Iterable[EpisodeTensors]] | None = None,
    answered: Callable[[EpisodeAnswer], None] | None = None,
) -> Tensor:
    """Areas of this process's share of the episodes; summed over processes they are the fold's.

    Batches are the same whatever the number of processes, so that the sums are.

    Args:
        model: In eval mode.
        fold: The episodes.
        config: How they are answered.
        shard: Which share of the batches.
        progress: Wraps the batches.
        answered: Called with every answer.

    Returns:
        (N, 2, 2) int64 for the N classes of the benchmark; see `episode_areas`.
    """
    names = list(dict.fromkeys([config.background, *fold.labels]))  # a class may be "others" too
    text = model.encode_labels(names, distinct=False)  # a class is compared with no other class
    for name, vector in zip(names[1:], text[1:], strict=True):
        refuse_equal(torch.stack([text[0], vector]), [config.background, name])
    rows = {
        index: [0, names.index(label)]
        for index, label in zip(fold.classes, fold.labels, strict=True)
    }
    areas = torch.zeros(len(fold.data.source.classes), 2, 2, dtype=torch.long, device=model.device)
    numbers = range(len(fold.data))
    size = config.batch_size
    batches = [list(numbers[first : first + size]) for first in numbers[::size]]
    loader: Iterable[EpisodeTensors] = DataLoader(
        fold.data,
        batch_sampler=shard.take(batches),
        num_workers=config.workers,
        pin_memory=model.device.type == "cuda",
    )
    for batch in progress(loader) if progress else loader:
        asked = torch.as_tensor(batch["class_index"])
        pairs = torch.stack([text[rows[index]] for index in asked.tolist()])
        prediction = answer_queries(model, batch, pairs, config)
        mask = batch["mask"].to(model.device)
        areas.index_add_(0, asked.to(model.device), episode_areas(prediction, mask))
        if answered is not None:
            for number, one in zip(torch.as_tensor(batch["number"]), prediction, strict=True):
                answered(EpisodeAnswer(int(number), one))
    return areas


def answer_queries(
    model: LSeg, batch: EpisodeTensors, text: Tensor, config: FewShotConfig
) -> Tensor:
    """What the network says about queries: (B, s, s) of 0 and 1.

    Args:
        model: In eval mode.
        batch: B episodes with S supports.
        text: (B, 2, C) label vectors of the background and each episode's class.
        config: How supports are used; without any, or at weight 0, this is plain LSeg.
    """
    pixels = model.normalize(batch["image"].to(model.device, non_blocking=True))
    supports = batch["supports"]
    if supports.shape[1] == 0 or config.visual_weight == 0:
        return label_map(model.logits(pixels, text))
    asked = zip(pixels, supports, batch["support_masks"], text, strict=True)
    found = []
    for query, pictures, masks, pair in asked:
        question = support_question(model, pair, pictures, masks, config.visual_weight)
        (maps,) = picture_logits(model, query[None], [question])
        found.append(label_map(maps))
    return torch.cat(found)


def fold_scores(fold: FoldData, areas: Tensor) -> FewShotScores:
    """Scores over the classes of a fold."""
    return scores_from_areas(areas, fold.classes)


def scores_to_json(folds: Sequence[FoldData], scores: Sequence[FewShotScores]) -> dict[str, Any]:
    """Figures in percent: means over the folds, every class, and the folds themselves."""
    per_class: dict[str, float] = {}
    for fold, score in zip(folds, scores, strict=True):
        per_class |= _per_class(fold, score)
    return {
        "miou": 100 * sum(score.miou for score in scores) / len(scores),
        "fb_iou": 100 * sum(score.fb_iou for score in scores) / len(scores),
        "per_class": per_class,
        "folds": [_fold_to_json(*pair) for pair in zip(folds, scores, strict=True)],
    }


def _fold_to_json(fold: FoldData, score: FewShotScores) -> dict[str, Any]:
    source = fold.data.source
    return {
        "fold": fold.fold,
        "miou": 100 * score.miou,
        "fb_iou": 100 * score.fb_iou,
        "episodes": len(fold.data),
        "per_class": _per_class(fold, score),
        "class_numbers": {source.classes[i]: i + source.offset for i in fold.classes},
        "labels": {
            source.classes[i]: label for i, label in zip(fold.classes, fold.labels, strict=True)
        },
    }


def _per_class(fold: FoldData, score: FewShotScores) -> dict[str, float]:
    names = (fold.data.source.classes[index] for index in fold.classes)
    return dict(zip(names, (100 * score.iou).tolist(), strict=True))
