"""The `lseg` command. Heavy imports happen inside the commands, so that `--help` is immediate."""

import argparse
import sys
from collections.abc import Sequence

import lseg
from lseg.commands import data_parsers, model_parsers, picture_parsers
from lseg.errors import LSegError

TRAINING = {
    "fit": "train a network (Lightning; --config FILE, --help for every option)",
    "validate": "figures of a checkpoint on the validation sets of a configuration",
    "test": "figures of a checkpoint on the test sets of a configuration",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 2 after an error that the user can mend."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] in TRAINING:
            from lseg.training.cli import main as train

            train(given[0], given[1:])
        else:
            options = build_parser().parse_args(given)
            options.handler(options)
    except LSegError as error:
        print(f"lseg: {_message(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lseg: interrupted", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of everything but the training commands, which it only lists."""
    parser = argparse.ArgumentParser(
        "lseg", description="Language-driven semantic segmentation: any labels, any picture."
    )
    parser.add_argument("--version", action="version", version=f"lseg {lseg.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in TRAINING.items():
        commands.add_parser(name, help=text, add_help=False)
    for module in (picture_parsers, data_parsers, model_parsers):
        module.add_commands(commands)
    return parser


def _message(error: LSegError) -> str:
    """The error's own words, also where a worker process has wrapped them in its traceback."""
    words = str(error).rsplit("lseg.errors.", 1)[-1]
    return words.removeprefix(f"{type(error).__name__}: ").strip()


def script() -> None:
    """Entry point of the installed `lseg` command."""
    sys.exit(main())
