"""`lseg evaluate --examples`: figures with examples that are drawn from other pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from tqdm import tqdm

from lseg.commands.evaluated_data import EvaluatedData, evaluated_data, rest_class
from lseg.commands.model import asking_from
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.viewing import view_rule
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.labels import clean_name
from lseg.errors import ConfigError
from lseg.evaluation.examples import Draw, draws_to_json
from lseg.evaluation.report import percent, print_table
from lseg.evaluation.semantic import AskedData
from lseg.inference.memory import Memory
from lseg.inference.sharding import Shard
from lseg.memory.drawing import Drawn, draw, half_of, mislabelled, occurrences
from lseg.memory.examples import Example, Examples
from lseg.models.lseg import LSeg
from lseg.pipeline.counting import Counts
from lseg.text.asking import AnyAsking, Asking

UNBOUNDED = 2**40


def examples_data(options: EvaluateOptions) -> FolderDataset:
    """The data set that examples are taken from: `--examples`, of the kind of `--dataset`.

    Raises:
        ConfigError: If that kind has no pictures of its own to take examples from.
        DataError: If files are missing or malformed.
    """
    split = options.examples_split
    data = evaluated_data(replace(options, data_root=options.examples, split=split))
    if not isinstance(data, FolderDataset):
        raise ConfigError(f"--dataset {options.dataset} has no examples to draw: take pairs")
    return data


class ExamplesTable:
    """A data set's labels, asked by text alone and with several draws of examples."""

    def __init__(self, options: EvaluateOptions, data: EvaluatedData, model: LSeg) -> None:
        """Draws the examples, and has the model look at them.

        Raises:
            ConfigError: If the examples are of other classes, or `--mislabel` is no share.
        """
        if not 0 <= options.mislabel <= 1:
            raise ConfigError(f"--mislabel is {options.mislabel:g}: give a share, 0 to 1")
        self.options, self.data, self.model = options, data, model
        source = examples_data(options)
        if list(source.classes) != list(data.classes):
            raise ConfigError(
                f"the examples of {options.examples} have other classes than the data set: "
                f"{', '.join(source.classes[:5])}, ... and {', '.join(data.classes[:5])}, ..."
            )
        occurs, count = occurrences(source), len(source.classes)
        self.taught = [
            half_of(count, seed) if options.half else list(range(count))
            for seed in range(options.seeds)
        ]
        self.drawn = [
            draw(occurs, options.shots, seed, taught) for seed, taught in enumerate(self.taught)
        ]
        text = asking_from(options)
        askings = [text, *self._askings(source, text)]
        other = rest_class(options, data)
        asked = (
            asking.question(model.text, data.labels, model.device, other) for asking in askings
        )
        questions = tuple(one.to(torch.device("cpu")) for one in asked)  # others have no such GPU
        self.asked = AskedData(data, view_rule(options), questions, options.workers)

    def table(self, counts: Sequence[Counts]) -> dict[str, Any]:
        """See `Table`."""
        options, data = self.options, self.data
        plain, *areas = self.asked.areas(counts)
        draws = [
            Draw(seed, taught, len(drawn), found)
            for seed, (taught, drawn, found) in enumerate(
                zip(self.taught, self.drawn, areas, strict=True)
            )
        ]
        figures = draws_to_json(draws, plain, data.classes)
        _print(options, figures)
        return {
            **figures,
            "shots": options.shots,
            "half": options.half,
            "mislabel": options.mislabel,
            "views": {"protocol": options.protocol, **asdict(view_rule(options))},
            "labels": dict(zip(data.classes, data.labels, strict=True)),
            "network": self.model.config.to_dict(),
        }

    def _askings(self, source: FolderDataset, text: Asking) -> Iterator[AnyAsking]:
        """By text and the examples of each draw."""
        progress = tqdm if Shard.of_process().first else None
        pool = _pool(self.model, source, self.drawn, self.options.size, progress)
        for seed, some in enumerate(self.drawn):
            chosen = _chosen(pool, source, some)
            labels = sorted({example.label for example in chosen})
            shown = mislabelled(chosen, self.options.mislabel, labels, seed)
            yield replace(pool.asking(text), examples=Examples(shown))


def _pool(
    model: LSeg,
    source: FolderDataset,
    drawn: Sequence[Sequence[Drawn]],
    size: int | None,
    progress: Any,
) -> Memory:
    """All examples that are drawn by any seed: the model sees each picture once."""
    pool = Memory(model, size, Examples(limit=UNBOUNDED))
    pool.add_data(source, sorted({one for some in drawn for one in some}), progress)
    return pool


def _chosen(pool: Memory, source: FolderDataset, some: Sequence[Drawn]) -> list[Example]:
    """Those of one seed."""
    wanted = {(source.stems[one.picture], clean_name(source.labels[one.cls])) for one in some}
    return [one for one in pool.examples if (one.source, one.label) in wanted]


def _print(options: EvaluateOptions, figures: dict[str, Any]) -> None:
    text = figures["text"]["per_class"]
    rows = [
        [name, percent(text[name], 1), percent(iou, 1)]
        for name, iou in figures["per_class"].items()
    ]
    rows.append(["mIoU", percent(figures["text"]["miou"]), percent(figures["miou"])])
    rows.append(["spread over seeds", "", percent(figures["miou_spread"])])
    rows.append(["gain, classes with examples", "", percent(figures["taught_gain"])])
    rows.append(["gain, the others", "", percent(figures["untaught_gain"])])
    where = f"{options.checkpoint} on {options.data_root or options.dataset}"
    print_table(
        f"{where}, {options.shots} example(s) a class",
        ["class", "text IoU %", "with examples"],
        rows,
    )
