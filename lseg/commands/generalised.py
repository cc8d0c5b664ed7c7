"""`lseg evaluate --unseen`: which classes count as unseen, and what is printed of them."""

from typing import Any

from lseg.commands.options.evaluate import EvaluateOptions
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.labels import parse_labels
from lseg.data.fewshot.all_classes import AllClassesData
from lseg.data.fewshot.benchmark_labels import LabelChoice
from lseg.data.fewshot.folds import Folds, Part
from lseg.evaluation.generalised import generalised_figures
from lseg.evaluation.protocols import TEST_PROTOCOLS, BenchmarkFiles
from lseg.evaluation.report import percent, print_table
from lseg.visualize import BACKGROUND_NAMES


def benchmark_data(options: EvaluateOptions) -> AllClassesData:
    """The test pictures of the benchmark that `--dataset` names, all classes asked for.

    Raises:
        DataError: If files are missing or malformed.
        LabelError: If `--prompts` or `--label-file` do not fit the classes.
    """
    choice = LabelChoice(options.label_file, options.prompts)
    files = BenchmarkFiles(options.data_root, options.splits, orientation=options.orientation)
    benchmark = TEST_PROTOCOLS[str(options.dataset)].benchmark(files)
    return AllClassesData(benchmark, labels=choice.labels(benchmark.open(0, Part.TEST)))


def add_generalised(
    options: EvaluateOptions, data: FolderDataset | AllClassesData, figures: dict[str, Any]
) -> dict[str, Any]:
    """The figures with those of `--unseen`, which are also printed; as they are without it.

    Raises:
        ConfigError: If there is no such fold.
        LabelError: If a name is no class, or no class is unseen, or none seen.
    """
    if options.unseen is None:
        return figures
    background = BACKGROUND_NAMES & set(data.classes)
    unseen = _unseen(options.unseen, data)
    found = generalised_figures(figures["per_class"], unseen, background)
    print_table(
        "seen and unseen classes asked for together",
        ["seen mIoU %", "unseen mIoU %", "hIoU %"],
        [[percent(found[key]) for key in ("seen_miou", "unseen_miou", "hiou")]],
    )
    return {**figures, **found}


def _unseen(unseen: str, data: FolderDataset | AllClassesData) -> list[str]:
    """Class names of a fold's number, or as they are given."""
    if not unseen.isdecimal():
        return parse_labels(unseen)
    fold = int(unseen)
    if isinstance(data, AllClassesData):
        return [data.classes[1 + index] for index in data.folds.held_out(fold)]
    return [data.classes[index] for index in Folds.interleaved(len(data.classes)).held_out(fold)]
