"""What every process of `lseg fewshot` does: its share of the episodes."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lseg.commands.distributed import Place
from lseg.commands.model import model_from
from lseg.commands.options.shared import ModelOptions
from lseg.data.fewshot.episode_data import EpisodeTensors
from lseg.evaluation.fewshot import EpisodeAnswer, FewShotConfig, FoldData, fold_areas
from lseg.files import atomic_file
from lseg.inference.sharding import Shard, sum_over_processes
from lseg.models.lseg import LSeg
from lseg.visualize import comparison, label_colours


class FewShotResult(NamedTuple):
    """Areas fold by fold, and the network's configuration: plain values, to cross processes."""

    areas: list[Any]
    network: dict[str, Any]


@dataclass(frozen=True)
class FewShotJob:
    """A run; the same in every process.

    Attributes:
        model: Which one, and how it computes.
        folds: Episodes.
        config: How they are answered.
        pictures: How many answers of each fold are saved.
        folder: Where.
    """

    model: ModelOptions
    folds: list[FoldData]
    config: FewShotConfig
    pictures: int
    folder: Path | None

    def __call__(self, place: Place) -> FewShotResult:
        """Answers this process's share, and adds up the areas of all."""
        model = model_from(replace(self.model, device=str(place.device)), LSeg)
        sums = []
        for fold in self.folds:
            show = self._progress(place.shard, fold)
            areas = fold_areas(model, fold, self.config, place.shard, show, self._saver(fold))
            total = areas.cpu().clone()  # an inference tensor cannot be changed here
            sum_over_processes(total)
            sums.append(total.tolist())
        return FewShotResult(sums, model.config.to_dict())

    def _progress(
        self, shard: Shard, fold: FoldData
    ) -> Callable[[Iterable[EpisodeTensors]], Iterable[EpisodeTensors]] | None:
        console = Console(stderr=True)
        if not shard.first or not console.is_terminal:
            return None
        share = -(-len(fold.data) // shard.world)

        def shown(batches: Iterable[EpisodeTensors]) -> Iterator[EpisodeTensors]:
            columns = (
                TextColumn("fold {task.fields[fold]}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("episodes, time left"),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=console, transient=True) as progress:
                task = progress.add_task("", total=share, fold=fold.fold)
                for batch in batches:
                    yield batch
                    progress.advance(task, len(batch["image"]))

        return shown

    def _saver(self, fold: FoldData) -> Callable[[EpisodeAnswer], None] | None:
        if self.folder is None:
            return None
        folder = self.folder

        def save(answer: EpisodeAnswer) -> None:
            if answer.number >= self.pictures:
                return
            query = fold.data[answer.number]
            label = fold.labels[fold.classes.index(query["class_index"])]
            names = [self.config.background, label]
            name = re.sub(r"\W+", "-", label)
            file = folder / f"fold{fold.fold}_{answer.number:04d}_{name}.png"
            picture = comparison(
                query["image"].permute(1, 2, 0).numpy(),
                query["mask"].numpy(),
                answer.prediction.cpu().numpy().astype(np.uint8),
                names,
                label_colours(names),
            )
            with atomic_file(file) as partial:
                picture.save(partial)

        return save
