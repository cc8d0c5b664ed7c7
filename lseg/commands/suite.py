"""`lseg evaluate --suite`: many data sets with one or several models."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lseg.commands.evaluated_data import EvaluatedData, evaluated_data
from lseg.commands.figures_file import FiguresFile
from lseg.commands.model import asking_from, inference_config, model_from
from lseg.commands.options.evaluate import SUITE_OPTIONS, EvaluateOptions
from lseg.commands.parser import overridden
from lseg.evaluation.suite import SuiteRow, read_suite
from lseg.evaluation.suite_table import suite_table, suite_to_json
from lseg.files import atomic_file
from lseg.models.lseg import LSeg

ModelTable = Callable[[EvaluateOptions, EvaluatedData, LSeg], dict[str, Any]]


def evaluate_suite(options: EvaluateOptions, model_table: ModelTable) -> None:
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
        inference_config(one)
        asking_from(one)
    rows: list[SuiteRow] = []
    for name in options.models or (options.checkpoint,):
        model = model_from(replace(options, checkpoint=name), LSeg)
        for entry, one, data in sets:
            table = model_table(replace(one, checkpoint=name), data, model)
            rows.append(SuiteRow(entry, name, table))
            file.write(suite_to_json(rows))
    print(suite_table(rows))
    if file.path is not None:
        with atomic_file(file.path.with_suffix(".md")) as partial:
            partial.write_text(suite_table(rows), "utf-8")
        print(f"also as {file.path.with_suffix('.md')}")
    file.announce()
