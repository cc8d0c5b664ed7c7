"""From a command line, and files of options, to the options of a command."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

from docstring_parser import Docstring, DocstringStyle, parse
from jsonargparse import ActionYesNo, ArgumentParser, Namespace

from lseg.commands.options.base import Option, Options, options_of
from lseg.commands.suggestions import nearest
from lseg.errors import ConfigError, shown
from lseg.parsing import parse_yaml
from lseg.paths import user_path

_LONGEST = 200  # characters of a value in a message

OptionsT = TypeVar("OptionsT", bound=Options)

ACCEPTED = {
    int: "a whole number",
    float: "a number",
    str: "text (in quotes)",
    Path: "a path (in quotes)",
    bool: "true or false",
}


def parse_options(name: str, kind: type[OptionsT], arguments: Sequence[str]) -> OptionsT:
    """Options as given on a command line; what it lacks is taken from the files of `--config`.

    Text stays as it was typed, also where YAML would read a number or a list.

    Args:
        name: Of the command, for messages and `--help`.
        kind: Type of its options.
        arguments: What follows the name.

    Raises:
        ConfigError: If an option is unknown, missing or of the wrong kind, or a file cannot be
            read.
    """
    parser = OptionsParser(name, kind)
    given = parser.parse_args(list(arguments))
    if given.config is not None:
        values: dict[str, Any] = {}
        for file in given.config:
            values |= parser.read(user_path(file, ConfigError))
        given = parser.parse_args(list(arguments), namespace=Namespace(values))
    found = {
        option.name: _final(option, given[option.name])
        for option in parser.options
        if given[option.name] is not None  # `null` in a file is as if it were not there
    }
    required = [option for option in parser.options if option.required]
    missing = [option.flag for option in required if option.name not in found]
    if missing:
        parser.error(f"`lseg {name}` needs {' and '.join(missing)}")
    return kind(**found)


def overridden(name: str, options: OptionsT, values: Mapping[str, Any], where: str) -> OptionsT:
    """Options with some replaced by values from a file; None is as if it were not there.

    Args:
        name: Of the command, for messages.
        options: To start from.
        values: By name, as YAML gave them.
        where: What to call their origin in messages.

    Raises:
        ConfigError: If something is no option or of another kind.
    """
    parser = OptionsParser(name, type(options))
    found = parser.check(values, where)
    changed = {
        option.name: _final(option, found[option.name])
        for option in parser.options
        if found.get(option.name) is not None
    }
    return dataclasses.replace(options, **changed)


class OptionsParser(ArgumentParser):
    """A parser with an argument for each field of options."""

    def __init__(self, name: str, kind: type[Options]) -> None:
        """Adds the arguments, in one group for the command and one for each base of its options."""
        self.command = name
        self.options = options_of(kind)
        super().__init__(
            prog=f"lseg {name}",
            usage=_usage(name, self.options),
            description=_docstring(kind).description,
            formatter_class=argparse.HelpFormatter,
            add_help=False,
            allow_abbrev=True,
            print_config=None,
        )
        texts = help_texts(kind)
        for title, names in _groups(kind):
            group = self.add_argument_group(title)
            for option in self.options:
                if option.name in names:
                    _add(group, option, texts[option.name])
        general = self.add_argument_group("Every command")
        general.add_argument(
            "--config", action="append", metavar="FILE",
            help="YAML file of options, `name: value` on each line; those given here win over it",
        )  # fmt: skip
        general.add_argument("-h", "--help", action="help", help="show this text")

    def read(self, file: Path) -> dict[str, Any]:
        """The options in a YAML file.

        Raises:
            ConfigError: If it cannot be read, or something in it is no option or of another kind.
        """
        try:
            values = parse_yaml(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"--config {file} cannot be read: {reason}") from error
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            raise ConfigError(f"--config {file} must hold options, `name: value` on each line")
        return self.check(values, str(file))

    def check(self, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Options by name, as YAML gave them, in the types of the fields.

        Raises:
            ConfigError: If something is no option or of another kind; it says where.
        """
        known = {option.name: option for option in self.options}
        found = {}
        for key, value in values.items():
            name = key.replace("-", "_")
            if name not in known:
                self.error(f"{where}: there is no option {shown(key)}{nearest(name, list(known))}")
            several = known[name].many and value is not None and not isinstance(value, list)
            found[name] = [value] if several else value
            if known[name].kind is bool and not isinstance(value, bool | None):
                self.error(f"{where}: {key} is {shown(value)}: give true or false")
        try:
            return vars(self.parse_object(found, defaults=False))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Refuses a command line in a line or two, in the words of the command line.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"{self._explained(message)} (`lseg {self.command} --help` lists the options)"
        ) from ex

    def _explained(self, message: str) -> str:
        wrong = re.match(r'Parser key "(\w+)"[^:]*:\s*(.*)', message, re.DOTALL)
        if wrong:
            (option,) = (option for option in self.options if option.name == wrong[1])
            given = re.search(r"Got value: (.*)", wrong[2], re.DOTALL)
            value = textwrap.shorten(given[1], _LONGEST, placeholder=" ...") if given else ""
            return f"{option.flag} {value}".rstrip() + f": {_accepted(option)}"
        unknown = re.match(r"unrecognized arguments: ((--[^=\s]+).*|.*)", message, re.DOTALL)
        if unknown and unknown[2]:
            return f"there is no option {unknown[2]}" + nearest(unknown[2], self._flags())
        if unknown:
            return f"one argument too many: {unknown[1]}"
        return message.removeprefix("argument ")

    def _flags(self) -> list[str]:
        return [flag for action in self._actions for flag in action.option_strings]


def help_texts(kind: type[Options]) -> dict[str, str]:
    """What docstrings say of each field, under "Attributes"; classes further up give way."""
    return {
        param.arg_name: " ".join((param.description or "").split()).rstrip(".")
        for cls in reversed(kind.__mro__[:-1])
        for param in _docstring(cls).params
    }


def _docstring(cls: type) -> Docstring:
    return parse(inspect.getdoc(cls) or "", DocstringStyle.GOOGLE)


def _groups(kind: type[Options]) -> Iterator[tuple[str, set[str]]]:
    """Titles of groups of options and the names in each: the command's own, then each base's."""
    yield "Options", set(inspect.get_annotations(kind))
    for base in _bases(kind):
        title = (_docstring(base).short_description or "").rstrip(".")
        yield title, {field.name for field in dataclasses.fields(base)}


def _bases(kind: type) -> Iterator[type]:
    """The bases that have fields of their own; one without stands for its own bases."""
    for base in kind.__bases__:
        if inspect.get_annotations(base) or base is Options:
            yield base
        else:
            yield from _bases(base)


def _usage(name: str, options: Iterable[Option]) -> str:
    """What must be given; the rest is listed below it."""
    required = [option for option in options if option.required]
    positional = [option for option in required if option.spelling.positional]
    words = [
        f"{option.flag} [{option.flag} ...]" if option.many else option.flag
        for option in positional
    ]
    words += [
        f"{option.flag} {option.metavar or 'KIND'}"
        for option in required
        if option not in positional
    ]
    return " ".join([f"lseg {name}", *words, "[OPTION ...]"])


def _final(option: Option, value: Any) -> Any:
    """The value of a field, from what the parser gives."""
    if option.kind is Path:
        return Path(value)
    return tuple(value) if option.many else value


def _accepted(option: Option) -> str:
    if get_origin(option.kind) is Literal:
        return f"give {' or '.join(map(str, get_args(option.kind)))}"
    return f"give {ACCEPTED[option.kind]}"


def _add(group: argparse._ArgumentGroup, option: Option, text: str) -> None:
    """Adds the argument of a field.

    None is required here, for a file of options may have what the command line lacks.
    """
    spelling, default = option.spelling, None if option.required else option.default
    how: dict[str, Any] = {} if spelling.positional else {"default": default}
    if option.kind is bool:
        how["action"] = ActionYesNo(no_prefix="no-")
        group.add_argument(option.flag, help=text, **how)
        if spelling.off is not None:
            how |= {"dest": option.name, "action": "store_false", "help": argparse.SUPPRESS}
            group.add_argument(spelling.off, **how)
        return
    if option.many:
        how["nargs"] = "+"
    if default is not None:
        how["default"] = list(default) if option.many else default
        shown = " ".join(map(str, default)) if option.many else default
        text = f"{text} (default: {shown})"
    if option.metavar is not None:
        how["metavar"] = option.metavar
    names = [option.name] if spelling.positional else [option.flag]
    if spelling.also is not None:
        names.append(spelling.also)
    # As a path, text that is no YAML would be refused.
    kind = str if option.kind is Path else option.kind
    argument = group.add_argument(*names, type=kind, help=text.replace("%", "%%"), **how)
    argument.required = False
