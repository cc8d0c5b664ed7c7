"""`lseg evaluate` and `lseg data check`: whole data sets."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from lseg.commands.generalised import add_generalised, benchmark_data
from lseg.commands.model import model_from
from lseg.commands.output import output_file
from lseg.data.fewshot.all_classes import AllClassesData
from lseg.data.sets.pairs import PairsDataset, find_problems
from lseg.errors import DataError
from lseg.evaluation.protocols import TEST_PROTOCOLS, Files
from lseg.evaluation.report import print_scores, versions
from lseg.evaluation.semantic import evaluate as evaluate_data
from lseg.evaluation.semantic import scores_to_json
from lseg.files import write_json
from lseg.inference.views import InferenceConfig
from lseg.models.lseg import LSeg


def evaluate(options: argparse.Namespace) -> None:
    """Prints IoU of every class, mIoU and pixel accuracy, and writes them as JSON."""
    data = EVALUATED[options.dataset](options)
    config = InferenceConfig(options.size, tuple(options.scales), options.flip, options.window)
    out = None if options.out is None else output_file(options.out)
    model = model_from(options, LSeg)
    scores = evaluate_data(model, data, config, workers=options.workers, progress=tqdm)
    figures = scores_to_json(scores, data.classes)
    title = f"{options.checkpoint} on {options.data_root or options.dataset}, {len(data)} pictures"
    print_scores(title, figures)
    figures = add_generalised(options, data, figures)
    if out is not None:
        details = {
            "options": {
                key: str(value) if isinstance(value, Path) else value
                for key, value in vars(options).items()
                if key != "handler"
            },
            "labels": dict(zip(data.classes, data.labels, strict=True)),
            "network": model.config.to_dict(),
            "versions": versions(),
        }
        write_json(out, {**figures, **details})
        print(f"written to {out}")


def check(options: argparse.Namespace) -> None:
    """Lists what is wrong with a data set.

    Raises:
        DataError: If anything is.
    """
    problems: list[str] = []
    for split in options.split or ("train", "val"):
        data = data_set(options, split)
        found = find_problems(data)
        print(f"{split}: {len(data)} pictures, {len(found)} problem(s)")
        problems += found
    for problem in problems:
        print(f"  {problem}")
    if problems:
        raise DataError(f"{len(problems)} problem(s) in {options.data_root}")


def data_set(options: argparse.Namespace, split: str) -> PairsDataset:
    """The data set that `--dataset`, `--data-root` and the rest describe."""
    folder = Files(options.data_root).folder
    return PairsDataset(folder, split, options.ignore_index, options.prompts)


EVALUATED: dict[str, Callable[[argparse.Namespace], PairsDataset | AllClassesData]] = {
    **dict.fromkeys(TEST_PROTOCOLS, benchmark_data),
    "pairs": lambda options: data_set(options, options.split),
}
