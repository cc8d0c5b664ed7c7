"""Arguments of the commands about data sets and benchmarks."""

import argparse
from pathlib import Path

from lseg.commands.arguments import (
    BENCHMARK_FOLDERS,
    BENCHMARKS,
    Commands,
    add_data_set,
    add_inference,
    add_model,
    command,
    whole,
)


def add_commands(commands: Commands) -> None:
    """Adds the commands."""
    _add_evaluate(commands)
    _add_fewshot(commands)
    _add_data(commands)


def _add_evaluate(commands: Commands) -> None:
    parser = commands.add_parser("evaluate", help="mIoU and pixel accuracy on a data set")
    add_data_set(parser, [*BENCHMARK_FOLDERS, "shapes"])
    parser.add_argument("--splits", metavar="DIR", help="split lists (pascal/, coco/, fss/)")
    parser.add_argument(
        "--unseen", metavar="K|NAMES",
        help="also seen, unseen and harmonic mIoU: a fold's number, or the unseen classes' names",
    )  # fmt: skip
    add_model(parser)
    parser.add_argument("--split", default="val", help="list of pictures; default val")
    add_inference(parser)
    parser.add_argument("--workers", type=whole, default=1, help="processes that read pictures")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where to write the figures")
    parser.set_defaults(handler=command("datasets", "evaluate"))


def _add_fewshot(commands: Commands) -> None:
    parser = commands.add_parser("fewshot", help="zero-shot and few-shot benchmarks")
    parser.add_argument("--benchmark", required=True, choices=BENCHMARKS)
    parser.add_argument("--fold", default="all", metavar="K|all", help="fold from 0; default all")
    parser.add_argument("--data-root", metavar="DIR", help="folder of the benchmark")
    parser.add_argument("--splits", metavar="DIR", help="split lists (pascal/, coco/, fss/)")
    parser.add_argument("--shots", type=whole, default=0, help="supports an episode; default 0")
    parser.add_argument("--episodes", type=whole, metavar="N", help="the first N of a fold only")
    parser.add_argument("--seed", type=whole, default=0, help="of the episodes; default 0")
    parser.add_argument("--label-file", type=Path, metavar="FILE", help="one label a class, a line")
    parser.add_argument("--prompts", metavar="FILE.json", help="class name -> label to ask for")
    parser.add_argument(
        "--natural-names", action="store_true",
        help="'potted plant' for pottedplant; default the original's spelling",
    )  # fmt: skip
    parser.add_argument("--background-label", default="others", help="label of the rest: others")
    parser.add_argument("--visual-weight", type=float, help="share of supports against text, 0-1")
    parser.add_argument("--size", type=whole, help="side of the pictures; default the protocol's")
    parser.add_argument("--split", default="val", help="test list of a pairs folder; default val")
    parser.add_argument("--ignore-index", type=whole, default=255, help="of a pairs folder")
    add_model(parser)
    parser.add_argument("--devices", type=whole, default=1, help="processes; default 1")
    parser.add_argument("--batch-size", type=whole, default=4, help="episodes at a time")
    parser.add_argument("--workers", type=whole, default=1, help="processes that read pictures")
    parser.add_argument("--save-pictures", type=whole, default=0, metavar="N", help="of each fold")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where to write the figures")
    parser.set_defaults(handler=command("fewshot", "fewshot"))


def _add_data(commands: Commands) -> None:
    parser = commands.add_parser("data", help="verify a data set")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="report what is missing or corrupt")
    add_data_set(check, BENCHMARK_FOLDERS)
    check.add_argument("--split", nargs="+", help="lists to check, such as val; default all")
    check.add_argument("--splits", metavar="DIR", help="split lists (pascal/, coco/, fss/)")
    check.set_defaults(handler=_check)


def _check(options: argparse.Namespace) -> None:
    module = "benchmark_check" if options.dataset in BENCHMARK_FOLDERS else "datasets"
    command(module, "check")(options)
