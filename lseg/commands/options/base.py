"""What makes a dataclass the options of a command."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from lseg.errors import ConfigError


@dataclass(frozen=True)
class Spelling:
    """How a field is written on the command line, where its name does not say.

    Attributes:
        metavar: Stands for the value in the help.
        positional: The value is given without a name.
        also: Another name, such as `--root`.
        off: The name that switches a flag off, besides `--no-NAME`.
    """

    metavar: str | None = None
    positional: bool = False
    also: str | None = None
    off: str | None = None


@dataclass(frozen=True)
class AtLeast:
    """The least number that a field takes."""

    least: int


NonNegative = Annotated[int, AtLeast(0)]
Positive = Annotated[int, AtLeast(1)]


class Option(NamedTuple):
    """A field of options, as the command line needs it.

    Attributes:
        name: Of the field.
        kind: Type of a value: `str`, `Path`, `int`, `float`, `bool`, or a `Literal`.
        many: Whether it takes several values.
        default: Its default; `dataclasses.MISSING` if it must be given.
        spelling: How it is written.
        least: The least number, if there is one.
    """

    name: str
    kind: Any
    many: bool
    default: Any
    spelling: Spelling
    least: int | None

    @property
    def flag(self) -> str:
        """Its name on the command line: `--data-root`, or the metavar of a positional."""
        if self.spelling.positional:
            return self.spelling.metavar or self.name
        return f"--{self.name.replace('_', '-')}"

    @property
    def metavar(self) -> str | None:
        """Stands for its value in the help; None where the values themselves are listed."""
        if get_origin(self.kind) is Literal:
            return None
        return self.spelling.metavar or {int: "N", float: "X"}.get(self.kind, self.name.upper())

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is dataclasses.MISSING


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of the options of all commands."""

    def __post_init__(self) -> None:
        """Refuses numbers that are too small.

        Raises:
            ConfigError: If there is one.
        """
        for option in options_of(type(self)):
            value = getattr(self, option.name)
            if option.least is not None and value is not None and value < option.least:
                raise ConfigError(f"{option.flag} is {value}: give {option.least} or more")

    def lock(self) -> AbstractContextManager[None]:
        """Keeps other runs from where the results go, if there are any, while the command runs.

        Raises:
            LSegError: If results cannot go there, or another run is writing there.
        """
        return nullcontext()

    def going_on(self) -> str:
        """What there is after Ctrl-C, and how to go on."""
        return "no file is left half written"

    def to_dict(self) -> dict[str, Any]:
        """Names and values, as YAML and JSON know them."""
        values = {option.name: getattr(self, option.name) for option in options_of(type(self))}
        return {name: _plain(value) for name, value in values.items()}


def options_of(kind: type[Options]) -> tuple[Option, ...]:
    """The fields of options, each with how it is given."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_option(field, hints[field.name]) for field in dataclasses.fields(kind))


def _option(field: dataclasses.Field[Any], hint: Any) -> Option:
    spelling, least, many = Spelling(), None, False
    for part in _unwrapped(hint):
        if isinstance(part, Spelling):
            spelling = part
        elif isinstance(part, AtLeast):
            least = part.least
        elif get_origin(part) is Sequence:
            many = True
        else:
            hint = part
    return Option(field.name, hint, many, field.default, spelling, least)


def _unwrapped(hint: Any) -> Iterator[Any]:
    """What a type hint is made of: metadata, sequences, and at last the type of a value."""
    if get_origin(hint) is Annotated:
        inner, *metadata = get_args(hint)
        yield from metadata
        yield from _unwrapped(inner)
    elif NoneType in get_args(hint):
        (inner,) = (part for part in get_args(hint) if part is not NoneType)
        yield from _unwrapped(inner)
    elif get_origin(hint) is Sequence:
        yield hint
        yield from _unwrapped(get_args(hint)[0])
    else:
        yield hint


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple | list) else value
