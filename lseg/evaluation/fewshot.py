"""Zero-shot and few-shot segmentation by the benchmarks' protocol: `others` against one class."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate

from lseg.data.fewshot.episode_data import EpisodeData, EpisodeTensors
from lseg.evaluation.areas import FewShotScores, episode_areas, scores_from_areas
from lseg.evaluation.reading import on_host, read
from lseg.evaluation.supports import DEFAULT_WEIGHT, support_question
from lseg.models.lseg import LSeg
from lseg.models.strips import label_map
from lseg.models.taught import picture_logits
from lseg.pipeline.counting import Counts, LocalCounting, Part
from lseg.text.distinct import refuse_equal


@dataclass(frozen=True)
class FewShotConfig:
    """How episodes are answered.

    Attributes:
        background: The label of all that is not the class.
        visual_weight: Of supports against text, in [0, 1]; see `support_question`.
        batch_size: Episodes at a time.
        workers: Processes that read pictures while the network computes; see `read`.
    """

    background: str = "others"
    visual_weight: float = DEFAULT_WEIGHT
    batch_size: int = 4
    workers: int = 0


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


@dataclass(frozen=True)
class AskedFold:
    """The episodes of a fold, and what their queries are asked; picklable.

    Attributes:
        fold: The episodes.
        text: (K, 2, C) label vectors of the background and of each of the fold's K classes.
    """

    fold: FoldData
    text: Tensor

    @classmethod
    def of(cls, model: LSeg, fold: FoldData, background: str) -> "AskedFold":
        """The fold's labels as the model's text side has them, each against the background.

        Raises:
            LabelError: If the text side lacks a label, or has the background's vector for one.
        """
        names = list(dict.fromkeys([background, *fold.labels]))  # a class may be "others" too
        text = model.encode_labels(names, distinct=False)  # a class is compared with no other class
        for name, vector in zip(names[1:], text[1:], strict=True):
            refuse_equal(torch.stack([text[0], vector]), [background, name])
        pairs = [torch.stack([text[0], text[names.index(label)]]) for label in fold.labels]
        return cls(fold, torch.stack(pairs))

    def of_classes(self, indices: Sequence[int]) -> Tensor:
        """(B, 2, C) vectors of B class indices."""
        return self.text[[self.fold.classes.index(index) for index in indices]]


@dataclass(frozen=True)
class EpisodeBatches:
    """The episodes of a fold in batches of a size, whoever does them."""

    data: EpisodeData
    size: int

    def __getitem__(self, number: int) -> EpisodeTensors:
        """Read a batch."""
        first = number * self.size
        last = min(first + self.size, len(self.data))
        found: EpisodeTensors = default_collate([self.data[one] for one in range(first, last)])
        return found


@dataclass(frozen=True)
class EpisodeCounter:
    """Areas of episodes; a `lseg.pipeline.counting.Counter` of batches, whose parts are folds.

    What is counted of a batch of B is (B, 5): class index, then the areas of `episode_areas`.

    Attributes:
        model: In eval mode.
        folds: The episodes.
        config: How they are answered.
        answered: Called with every answer, and the place of its fold.
    """

    model: LSeg
    folds: Sequence[AskedFold]
    config: FewShotConfig
    answered: Callable[[int, EpisodeAnswer], None] | None = None

    def __call__(self, part: int, items: Sequence[int]) -> Iterator[Counts]:
        """Counts of some batches of a fold."""
        for rows in on_host(self._rows(part, items)):
            yield rows.numpy()

    def _rows(self, part: int, items: Sequence[int]) -> Iterator[Tensor]:
        asked, device = self.folds[part], self.model.device
        text = AskedFold(asked.fold, asked.text.to(device))
        batches = EpisodeBatches(asked.fold.data, self.config.batch_size)
        for batch in read(batches, items, self.config.workers, device.type == "cuda"):
            classes = torch.as_tensor(batch["class_index"])
            with torch.inference_mode():
                pairs = text.of_classes(classes.tolist())
                prediction = answer_queries(self.model, batch, pairs, self.config)
                areas = episode_areas(prediction, batch["mask"].to(device))
                rows = torch.cat([classes[:, None].to(device), areas.flatten(1)], 1)
            if self.answered is not None:
                for number, one in zip(torch.as_tensor(batch["number"]), prediction, strict=True):
                    self.answered(part, EpisodeAnswer(int(number), one))
            yield rows


def fold_part(fold: FoldData, config: FewShotConfig) -> Part:
    """What is to be counted of a fold."""
    return Part(-(-len(fold.data) // config.batch_size), f"fold {fold.fold}", "batch")


def summed_areas(fold: FoldData, counts: Sequence[Counts]) -> Tensor:
    """The areas of a fold, (N, 2, 2) int64 for the N classes of the benchmark."""
    areas = torch.zeros(len(fold.data.source.classes), 4, dtype=torch.long)
    for rows in map(torch.from_numpy, counts):
        areas.index_add_(0, rows[:, 0], rows[:, 1:])
    return areas.view(-1, 2, 2)


def fold_areas(
    model: LSeg,
    fold: FoldData,
    config: FewShotConfig,
    answered: Callable[[EpisodeAnswer], None] | None = None,
) -> Tensor:
    """Areas of all episodes of a fold, here.

    Args:
        model: In eval mode.
        fold: The episodes.
        config: How they are answered.
        answered: Called with every answer.

    Returns:
        (N, 2, 2) int64 for the N classes of the benchmark; see `episode_areas`.
    """
    asked = AskedFold.of(model, fold, config.background)
    tell = None if answered is None else lambda _, answer: answered(answer)
    counter = EpisodeCounter(model, [asked], config, tell)
    (counts,) = LocalCounting(counter).counts([fold_part(fold, config)])
    return summed_areas(fold, counts)


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
