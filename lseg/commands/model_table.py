"""The figures of a model on data sets, whoever counts the pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Protocol

from lseg.commands.engine import counting_engine, model_here
from lseg.commands.evaluated_data import EvaluatedData, protocol_of, rest_class
from lseg.commands.examples import ExamplesTable
from lseg.commands.generalised import add_generalised
from lseg.commands.memory import memory_from
from lseg.commands.model import asking_from, model_from
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.viewing import view_rule
from lseg.data.base.fingerprint import fingerprint
from lseg.evaluation.figures import table_to_json
from lseg.evaluation.report import print_scores
from lseg.evaluation.semantic import AskedData, PictureCounter, question_of
from lseg.inference.sharding import Shard
from lseg.models.lseg import LSeg
from lseg.pipeline.counting import Counts


class EvaluatedSet(NamedTuple):
    """A data set with the options that are its own, and what the progress bar calls it."""

    options: EvaluateOptions
    data: EvaluatedData
    name: str = ""


@dataclass(frozen=True)
class EvaluateJob:
    """A model on data sets; picklable."""

    options: EvaluateOptions
    sets: tuple[AskedData, ...]

    def counter(self) -> PictureCounter:
        """See `CountJob`."""
        model = model_from(self.options, LSeg)
        return PictureCounter(model, [replace(one, workers=0) for one in self.sets])


class Table(Protocol):
    """What a data set is asked, and the table of the answers."""

    @property
    def asked(self) -> AskedData: ...  # noqa: D102

    def table(self, counts: Sequence[Counts]) -> dict[str, Any]:
        """The table, which is also printed."""
        ...


class LabelsTable:
    """A data set's labels, asked by text, and by what `--memory` says of them."""

    def __init__(self, one: EvaluatedSet, model: LSeg) -> None:
        """Encodes the labels.

        Raises:
            LabelError: If they cannot be asked for.
        """
        options, data, name = one
        self.options, self.data, self.model = options, data, model
        text, memory = asking_from(options), memory_from(options, model)
        asking = text if memory is None else memory.asking(text)
        question = question_of(model, data.labels, asking, rest_class(options, data))
        self.asked = AskedData(data, view_rule(options), (question,), options.workers, name)

    def table(self, counts: Sequence[Counts]) -> dict[str, Any]:
        """See `Table`."""
        options, data, model = self.options, self.data, self.model
        (areas,) = self.asked.areas(counts)
        training = model.config.labels or None
        table = table_to_json(areas, data.classes, protocol_of(options, data), training)
        where = f"{options.checkpoint} on {options.data_root or options.dataset}"
        print_scores(f"{where}, {len(data)} pictures", table)
        return {
            **add_generalised(options, data, table),
            "labels": dict(zip(data.classes, data.labels, strict=True)),
            "notes": model.text.notes(list(filter(model.text.knows, data.labels))),
            "views": {"protocol": options.protocol, **asdict(view_rule(options))},
            "network": model.config.to_dict(),
            "data": fingerprint(data.files()),
        }


def model_tables(
    options: EvaluateOptions, sets: Sequence[EvaluatedSet]
) -> Iterator[dict[str, Any]]:
    """The tables of the model of `options` on data sets, as each is done.

    They are printed, and had, by the first process alone; the others count with it.

    Raises:
        LabelError: If labels cannot be asked for; before anything is counted.
    """
    if options.examples is None:
        model = model_here(options, LSeg)
        tables: list[Table] = [LabelsTable(one, model) for one in sets]
    else:  # which this process looks at
        model = model_from(options, LSeg)
        tables = [ExamplesTable(one.options, one.data, model) for one in sets]
    asked = tuple(table.asked for table in tables)
    engine = counting_engine(options, EvaluateJob(options, asked), PictureCounter(model, asked))
    counted = engine.counts([one.part for one in asked])
    for table, counts in zip(tables, counted, strict=True):
        if Shard.of_process().first:
            yield table.table(counts)
