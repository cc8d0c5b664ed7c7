"""What `lseg predict` makes of a picture."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lseg.commands.engine import network_settings
from lseg.commands.model import model_from
from lseg.commands.options.predict import PredictOptions
from lseg.commands.output import LABEL_MAP_SUFFIXES
from lseg.commands.reading import picture_reader
from lseg.errors import CheckpointError, LabelError
from lseg.inference.memory import Memory
from lseg.inference.prefetch import Picture
from lseg.inference.segmentation import Segmentation
from lseg.inference.segmenter import ClassSegmenter, Segmenter
from lseg.inference.views import InferenceConfig
from lseg.models.dpt import DPTSegmentation
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.pipeline.step import Finish, Source, Step
from lseg.text.asking import AS_TRAINED, Asking
from lseg.text.question import Question


@dataclass(frozen=True)
class PredictJob:
    """A run of `lseg predict`; picklable.

    Attributes:
        options: Of the command.
        config: How pictures are shown to the network.
        question: What its pixels are asked; None for a network with classes of its own.
    """

    options: PredictOptions
    config: InferenceConfig
    question: Question | None

    def step(self, model: Network | None = None) -> Step[Segmentation]:
        """Decodes, segments, and writes label maps.

        Args:
            model: Loaded already, as options say; loaded now by default.
        """
        if model is None:
            model = model_from(self.options, Network)
        return Step(
            picture_reader(self.options, model.device),
            segmenter(model, self.question, self.config, self.options.guided),
            LabelMapWriter(),
            self._settings(model),
        )

    def _settings(self, model: Network) -> dict[str, Any]:
        return {
            **network_settings(self.options, model),
            "question": None if self.question is None else question_hash(self.question),
            "view": repr(self.config),
            "guided": self.options.guided,
        }


class LabelMapWriter:
    """Label map, overlay and JSON of a picture."""

    endings = LABEL_MAP_SUFFIXES

    def write(self, folder: Path, source: Source, answer: Segmentation) -> Finish:
        """See `Writer`."""
        name = source.row.name
        answer.save(folder / f"{name}.png")
        return lambda: [f"{name}{ending}" for ending in self.endings]


def question_hash(question: Question) -> str:
    """A hash of what pixels are asked."""
    told = (question.names, question.pools, question.unsure, question.notes)
    digest = hashlib.sha256(repr(told).encode())
    taught = question.taught
    parts = [] if taught is None else [
        taught.classes, taught.embedding, taught.levels, taught.bias
    ]  # fmt: skip
    for tensor in (question.vectors, *parts):
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def question_of(
    model: Network,
    labels: list[str] | None,
    config: InferenceConfig,
    asking: Asking = AS_TRAINED,
    examples: Path | None = None,
) -> Question | None:
    """What the pixels are asked: labels, or None of a network with fixed classes.

    Raises:
        LabelError: If labels are missing or not possible.
        CheckpointError: If the model segments nothing, or cannot as `config` says.
    """
    if isinstance(model, DPTSegmentation):
        if examples is not None:
            raise CheckpointError("--memory needs an LSeg checkpoint: this one has fixed classes")
        if labels is not None:
            raise LabelError(
                f"this model has {len(model.labels)} fixed classes: leave --labels out, or take an "
                "LSeg checkpoint"
            )
        if not config.plain or config.guided:
            raise CheckpointError("--scales, --flip, --window, --guided need an LSeg checkpoint")
        return None
    if not isinstance(model, LSeg):
        raise CheckpointError(f"a {type(model).__name__} segments nothing: use `lseg depth`")
    if labels is None:
        raise LabelError('no labels: give some, such as --labels "sky,road,other"')
    memory = None if examples is None else Memory.load(examples, model)
    return Segmenter(model, config.size, asking, memory).question(labels)


def segmenter(
    model: Network,
    question: Question | None,
    config: InferenceConfig,
    guided: bool | None = None,
) -> Callable[[Picture], Segmentation]:
    """What turns a picture into its segmentation: by a question, or by the model's own classes.

    Args:
        model: On its device.
        question: What pixels are asked; None for a network with classes of its own.
        config: How pictures are shown to the network.
        guided: Whether labels follow the picture's outlines; the model's own rule if not given.
    """
    if question is None:
        assert isinstance(model, DPTSegmentation)
        return ClassSegmenter(model, config.size).segment
    assert isinstance(model, LSeg)
    found = Segmenter(model, config.size, guided=guided)
    asked = question.to(model.device)

    def segment(picture: Picture) -> Segmentation:
        if config.plain:
            return found.segment_encoded(found.encode(picture), asked)
        return found.segment_image(picture, asked, config)

    return segment
