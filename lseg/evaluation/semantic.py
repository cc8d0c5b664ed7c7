"""Semantic segmentation of a whole data set with one label set: pooled IoU and pixel accuracy."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lseg.data.base.items import NamedData
from lseg.data.base.labels import display_names, refuse_repeated
from lseg.evaluation.metrics import ClassAreas, Scores, confusion_matrix
from lseg.evaluation.picture_areas import PictureAreas, occurring
from lseg.evaluation.reading import on_host, read
from lseg.inference.views import InferenceConfig, ViewRule, maps_of_questions
from lseg.models.lseg import LSeg
from lseg.models.maps import Maps
from lseg.models.strips import label_map
from lseg.pipeline.counting import Counts, LocalCounting, Part
from lseg.text.asking import AS_TRAINED, AnyAsking
from lseg.text.question import Question


@dataclass(frozen=True)
class AskedData:
    """A data set, and what the pixels of its pictures are asked; picklable.

    Attributes:
        data: Pictures and masks.
        rule: How pictures are shown to the network.
        questions: About the same N classes.
        workers: Processes that read pictures while the network computes; see `read`.
        name: For the progress bar.
    """

    data: NamedData
    rule: ViewRule
    questions: tuple[Question, ...]
    workers: int = 0
    name: str = ""

    @property
    def part(self) -> Part:
        """What is to be counted."""
        return Part(len(self.data), self.name)

    def areas(self, counts: Sequence[Counts]) -> list[PictureAreas]:
        """The areas of all pictures for each question, from what `PictureCounter` counted."""
        rows = [torch.from_numpy(one) for one in counts]
        names, classes = self.data.names, len(self.questions[0].names)
        return [
            PictureAreas.of_rows(names, classes, [one[one[:, 0] == place, 1:] for one in rows])
            for place in range(len(self.questions))
        ]


@dataclass(frozen=True)
class PictureCounter:
    """Areas of pictures; a `lseg.pipeline.counting.Counter` whose parts are data sets.

    What is counted of a picture is (k, 5): question, class, and the class's three areas (see
    `ClassAreas`), for those classes that occur in truth or prediction.

    Attributes:
        model: In eval mode; sees each picture once.
        sets: The data sets.
    """

    model: LSeg
    sets: Sequence[AskedData]

    def __call__(self, part: int, items: Sequence[int]) -> Iterator[Counts]:
        """Counts of some pictures of a data set."""
        for areas in on_host(self._areas(self.sets[part], items)):
            yield occurring(areas).numpy()

    def _areas(self, asked: AskedData, items: Sequence[int]) -> Iterator[Tensor]:
        """(Q, N, 3) areas of each picture for the Q questions, on the model's device."""
        device, data = self.model.device, asked.data
        questions = [question.to(device) for question in asked.questions]
        classes = len(questions[0].names)
        for item in read(data, items, asked.workers, device.type == "cuda"):
            truth = item["mask"][None].to(device)
            found = []
            with torch.inference_mode():
                for maps in _maps(self.model, item["image"], asked.rule, questions):
                    said = label_map(maps)
                    confusion = confusion_matrix(said, truth, classes, data.ignore_index)
                    found.append(torch.stack(ClassAreas.of_confusion(confusion), 1))
                areas = torch.stack(found)
            yield areas


def _maps(
    model: LSeg, image: Tensor, rule: ViewRule, questions: Sequence[Question]
) -> Sequence[Maps]:
    if isinstance(rule, InferenceConfig):
        return maps_of_questions(model, image, questions, rule)
    return [rule.maps(model, image, question) for question in questions]


def evaluate_pictures(
    model: LSeg,
    data: NamedData,
    config: ViewRule,
    labels: Sequence[str] | None = None,
    workers: int = 0,
    asking: AnyAsking = AS_TRAINED,
    other: int | None = None,
) -> PictureAreas:
    """Areas of every picture of `data`, at its own size.

    Args:
        model: In eval mode.
        data: Pictures and masks.
        config: How pictures are shown to the network.
        labels: What to ask for each mask index; the data set's own labels by default.
        workers: Processes that read pictures while the network computes.
        asking: How labels are asked for.
        other: The class of all that is none of the others; found by its label if not given.

    Raises:
        LabelError: If two classes are asked for by the same label, or by two that are one to the
            text encoder: which of them a pixel gets would be chance.
    """
    question = question_of(model, labels or data.labels, asking, other)
    asked = AskedData(data, config, (question,), workers)
    (counts,) = LocalCounting(PictureCounter(model, [asked])).counts([asked.part])
    (areas,) = asked.areas(counts)
    return areas


def question_of(
    model: LSeg, labels: Sequence[str], asking: AnyAsking = AS_TRAINED, other: int | None = None
) -> Question:
    """What pixels are asked about the classes of a data set; see `evaluate_pictures`."""
    refuse_repeated(labels, "the labels of the data set")
    question = asking.question(model.text, labels, model.device, other)
    question.warn_of_notes()
    return question


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
