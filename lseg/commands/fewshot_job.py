"""What is done with the episodes of `lseg fewshot`, whoever answers them."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lseg.commands.model import model_from
from lseg.commands.options.shared import ModelOptions
from lseg.evaluation.fewshot import AskedFold, EpisodeAnswer, EpisodeCounter, FewShotConfig
from lseg.files import atomic_file, clear_partial_files
from lseg.models.lseg import LSeg
from lseg.visualize import comparison, label_colours


@dataclass(frozen=True)
class AnswerPictures:
    """Saves answers as pictures.

    Attributes:
        folds: The episodes that are answered.
        background: What the rest is called.
        count: How many of each fold.
        folder: Where they go.
    """

    folds: tuple[AskedFold, ...]
    background: str
    count: int
    folder: Path

    def __call__(self, part: int, answer: EpisodeAnswer) -> None:
        """Saves an answer, if it is one of the first."""
        if answer.number >= self.count:
            return
        fold = self.folds[part].fold
        query = fold.data[answer.number]
        label = fold.labels[fold.classes.index(query["class_index"])]
        names = [self.background, label]
        name = re.sub(r"\W+", "-", label)
        file = self.folder / f"fold{fold.fold}_{answer.number:04d}_{name}.png"
        picture = comparison(
            query["image"].permute(1, 2, 0).numpy(),
            query["mask"].numpy(),
            answer.prediction.cpu().numpy().astype(np.uint8),
            names,
            label_colours(names),
        )
        clear_partial_files(self.folder, {file.stem})  # of an actor that was killed in its midst
        with atomic_file(file) as partial:
            picture.save(partial)


@dataclass(frozen=True)
class FewShotJob:
    """A run; picklable.

    Attributes:
        model: Which one, and how it computes.
        folds: Episodes.
        config: How they are answered.
        pictures: Takes answers, if they are saved.
    """

    model: ModelOptions
    folds: tuple[AskedFold, ...]
    config: FewShotConfig
    pictures: AnswerPictures | None

    def counter(self) -> EpisodeCounter:
        """See `CountJob`."""
        model = model_from(self.model, LSeg)
        return EpisodeCounter(model, self.folds, replace(self.config, workers=0), self.pictures)
