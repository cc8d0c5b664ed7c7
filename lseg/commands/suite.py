"""`lseg evaluate --suite`: many data sets with one or several models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lseg.commands.distributed import Place, run_on_devices
from lseg.commands.evaluated_data import EvaluatedData, evaluated_data
from lseg.commands.figures_file import FiguresFile
from lseg.commands.model import asking_from, model_from
from lseg.commands.model_table import model_table
from lseg.commands.options.evaluate import SUITE_OPTIONS, EvaluateOptions
from lseg.commands.parser import overridden
from lseg.commands.viewing import view_rule
from lseg.evaluation.suite import SuiteEntry, SuiteRow, read_suite
from lseg.evaluation.suite_table import class_tables, suite_table, suite_to_json
from lseg.files import atomic_file
from lseg.models.lseg import LSeg


@dataclass(frozen=True)
class SuiteJob:
    """A suite; the same in every process.

    Attributes:
        options: Of the run.
        sets: Entries with their own options and their data.
        file: Where the first process writes what is done, at once.
    """

    options: EvaluateOptions
    sets: Sequence[tuple[SuiteEntry, EvaluateOptions, EvaluatedData]]
    file: FiguresFile

    def __call__(self, place: Place) -> list[SuiteRow]:
        """The rows of every model on every data set; none but in the first process."""
        rows: list[SuiteRow] = []
        for name in self.options.models or (self.options.checkpoint,):
            named = replace(self.options, checkpoint=name, device=str(place.device))
            model = model_from(named, LSeg)
            for entry, one, data in self.sets:
                table = model_table(replace(one, checkpoint=name), data, model, place.shard)
                if table is not None:
                    rows.append(SuiteRow(entry, name, table))
                    self.file.write(suite_to_json(rows))
        return rows


def evaluate_suite(options: EvaluateOptions) -> None:
    """Evaluates every model on every data set, and writes the table as JSON and as Markdown.

    All data sets are opened before the first model is loaded; what is done is written at once.

    Raises:
        ConfigError: If the suite cannot be read, or has options that are none.
        DataError: If a data set is missing or malformed.
    """
    assert options.suite is not None
    file = FiguresFile(options)
    entries = read_suite(options.suite, SUITE_OPTIONS)
    chosen = [
        overridden("evaluate", options, entry.options, f"{options.suite}, {entry.name}")
        for entry in entries
    ]
    sets = [(entry, one, evaluated_data(one)) for entry, one in zip(entries, chosen, strict=True)]
    for one in chosen:
        view_rule(one)
        asking_from(one)
    rows = run_on_devices(SuiteJob(options, sets, file), options.devices, options.device)
    if rows is None:  # another process of several tells
        return
    print(suite_table(rows))
    if file.path is not None:
        with atomic_file(file.path.with_suffix(".md")) as partial:
            partial.write_text(f"{suite_table(rows)}\n{class_tables(rows)}", "utf-8")
        print(f"also as {file.path.with_suffix('.md')}")
    file.announce()
