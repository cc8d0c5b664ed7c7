"""The `lseg` command. Heavy imports happen inside the commands, so that `--help` is immediate."""

import sys
from collections.abc import Sequence

import lseg
from lseg.commands.dead_workers import dead_worker
from lseg.commands.notes import escape_what_cannot_be_printed, notes_on_stderr
from lseg.commands.suggestions import nearest
from lseg.commands.table import COMMANDS, Command
from lseg.errors import ConfigError, IncompleteRunError, LSegError, escaped_lines, shown
from lseg.files import NO_ROOM

TRAINING = {
    "fit": "Train a network (Lightning; --config FILE, --help for every option)",
    "validate": "Figures of a checkpoint on the validation sets of a configuration",
    "test": "Figures of a checkpoint on the test sets of a configuration",
}
HELP = {"-h", "--help"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code.

    That is 2 after an error that the user can mend, and 3 where only some files of a run were
    broken, and the rest was done.

    Raises:
        SystemExit: With 0, after the help of a command.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    escape_what_cannot_be_printed()
    try:
        if not given:
            print(help_text(), file=sys.stderr)
            return 2
        if given[0] in HELP:
            print(help_text())
        elif given[0] == "--version":
            print(f"lseg {lseg.__version__}")
        elif given[0] in TRAINING:
            from lseg.training.cli import main as train

            with notes_on_stderr():
                train(given[0], given[1:])
        else:
            with notes_on_stderr():
                run_command(given)
    except IncompleteRunError as error:
        print(f"lseg: {error}", file=sys.stderr)
        return 3
    except LSegError as error:
        print(f"lseg: {_message(error)}", file=sys.stderr)
        return 2
    except OSError as error:  # such as a full disk, or a name that is too long with its ending
        if error.filename is None and error.errno not in NO_ROOM:
            raise
        place = "" if error.filename is None else f"{shown(str(error.filename))}: "
        print(f"lseg: {place}{error.strerror}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        if (told := dead_worker(error)) is None:
            raise
        print(f"lseg: {told}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"lseg: interrupted{': ' if error.args else ''}{error}", file=sys.stderr)
        return 130
    return 0


def run_command(words: Sequence[str]) -> None:
    """Runs a command of the table with the options that follow its name.

    Raises:
        LSegError: If there is no such command, or something is wrong with its options or files.
        KeyboardInterrupt: After Ctrl-C, with what there is then.
    """
    actions = [command for command in COMMANDS if command.name.split()[0] == words[0]]
    if not actions:
        known = [*(command.name for command in COMMANDS), *TRAINING]
        raise ConfigError(
            f"there is no command {words[0]!r}{nearest(words[0], known)} (`lseg --help` lists them)"
        )
    for command in actions:
        length = len(command.name.split())
        if " ".join(words[:length]) == command.name:
            from lseg.commands.parser import parse_options

            options = parse_options(command.name, command.options, words[length:])
            try:
                with options.lock():
                    command.load()(options)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(options.going_on()) from None
            return
    if HELP.isdisjoint(words):
        names = ", ".join(f"`lseg {command.name}`" for command in actions)
        raise ConfigError(f"`lseg {' '.join(words[:2])}` is no command: there is {names}")
    print(_listed(actions))


def help_text() -> str:
    """What there is, in a screen."""
    training = "\n".join(_line(name, text) for name, text in TRAINING.items())
    return (
        "usage: lseg COMMAND [OPTION ...]\n\n"
        "Language-driven semantic segmentation: any labels, any picture.\n\n"
        f"commands:\n{training}\n{_listed(COMMANDS)}\n\n"
        "`lseg COMMAND --help` lists the options of a command, `lseg --version` says which this is."
    )


def _listed(commands: Sequence[Command]) -> str:
    return "\n".join(_line(command.name, command.summary) for command in commands)


def _line(name: str, text: str) -> str:
    return f"  {name:<15}{text}"


def _message(error: LSegError) -> str:
    """The error's own words, also where a worker process has wrapped them in its traceback."""
    words = str(error).rsplit("lseg.errors.", 1)[-1]
    return escaped_lines(words.removeprefix(f"{type(error).__name__}: ").strip())


def script() -> None:
    """Entry point of the installed `lseg` command."""
    sys.exit(main())
