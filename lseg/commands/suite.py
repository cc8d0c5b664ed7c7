"""`lseg evaluate --suite`: many data sets with one or several models."""

from dataclasses import replace

from lseg.commands.engine import engine_started
from lseg.commands.evaluated_data import evaluated_data
from lseg.commands.figures_file import FiguresFile
from lseg.commands.model import asking_from
from lseg.commands.model_table import EvaluatedSet, model_tables
from lseg.commands.options.evaluate import SUITE_OPTIONS, EvaluateOptions
from lseg.commands.parser import overridden
from lseg.commands.viewing import view_rule
from lseg.evaluation.suite import SuiteRow, read_suite
from lseg.evaluation.suite_table import class_tables, suite_table, suite_to_json
from lseg.files import atomic_file
from lseg.inference.sharding import Shard


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
    opened = [evaluated_data(one) for one in chosen]
    for one in chosen:
        view_rule(one)
        asking_from(one)
    rows: list[SuiteRow] = []
    with engine_started(options):
        for model in options.models or (options.checkpoint,):
            sets = [
                EvaluatedSet(replace(one, checkpoint=model), data, entry.name)
                for entry, one, data in zip(entries, chosen, opened, strict=True)
            ]
            tables = model_tables(replace(options, checkpoint=model), sets)
            for place, table in enumerate(tables):
                rows.append(SuiteRow(entries[place], model, table))
                file.write(suite_to_json(rows))
    if not Shard.of_process().first:
        return
    print(suite_table(rows))
    if file.path is not None:
        with atomic_file(file.path.with_suffix(".md")) as partial:
            partial.write_text(f"{suite_table(rows)}\n{class_tables(rows)}", "utf-8")
        print(f"also as {file.path.with_suffix('.md')}")
    file.announce()
