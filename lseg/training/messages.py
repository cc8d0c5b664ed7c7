"""What jsonargparse says of wrong options, in a line or two: what was given, what is near it."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser

import lseg.data
from lseg.data.base.datamodule import SegmentationDataModule
from lseg.data.base.mixture import MixedSet
from lseg.errors import ConfigError
from lseg.training.module import LSegModule

SETS = "data.sets"
LONGEST = 400  # characters of a message that nothing here knows
TOP = ("config", "seed_everything", "ckpt_path", "resume", "data.class_path")

_UNKNOWN = (
    r"unrecognized arguments: (?P<key>\S+)",
    r"does not accept option '(?P<key>[^']+)'",
    r"Option '(?P<key>[^']+)' is not accepted",
    r"Key '(?P<key>[^']+)' is not expected",
)


class TrainingParser(LightningArgumentParser):
    """Raises what it finds wrong, where its base would print all options and exit.

    No option may be abbreviated, as none may in a file.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As its base, whose arguments Lightning gives."""
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Ends parsing.

        Raises:
            ConfigError: With the message in a line or two.
        """
        if not self.exit_on_error:  # of a part: the message becomes one of the whole
            super().error(message, ex)
        raise ConfigError(explain(message)) from ex


def explain(message: str) -> str:
    """A message of jsonargparse, whose lines are nested like the options, for people."""
    place = ".".join(re.findall(r'Parser key "([^"]+)"', message))
    problem = re.search(r"Problem with given class_path '(.+?)':\s+(.+)", message)
    for pattern in _UNKNOWN:
        if found := re.search(pattern, message):
            key = found["key"].lstrip("-").partition("=")[0]
            return _unknown(key, place, _class_of(problem[1]) if problem else None)
    if found := re.search(r"File does not exist: '?(.+?)'?$", message, re.MULTILINE):
        return f"no configuration file {found[1][:200]}: give --config FILE"
    if place.startswith(SETS) and "arguments are required: data" in message:
        return f"a set of {SETS} has no data: give each `name: {{data: {{class_path: ...}}}}`"
    if found := re.search(r"arguments are required: (?:\w+\.)?(\S+)", message):
        return f"{found[1]} is missing: give a configuration by --config FILE, or --{found[1]}"
    given = _first(message, r"Got value: (.*)$", r"val='(.*)'\)$", r"Given value: (.*)$")
    if place == "data":
        name = _first(message, r"'class_path': '([^']+)'", r"val='(.*)'\)$") or given or ""
        if not issubclass(_class_of(name) or object, SegmentationDataModule):
            return _no_data_module("data", name)
    if place.endswith(f"{SETS}.data"):
        for name in re.findall(r"class_path\W+([\w.]+)", message):
            known = SegmentationDataModule, MixedSet
            if not issubclass(_class_of(name) or object, known):
                return _no_data_module(place, name)
    if problem and "Parser key" not in problem[2]:
        return f"{place}: {problem[1]}: {one_line(problem[2])}"
    if place and given:
        expected = re.findall(r"Expected (.+?)(?:\. Got value: .*)?$", message, re.MULTILINE)
        kinds = [_plain(kind) for kind in expected if not re.search("NoneType|path", kind)]
        below = [key for key in option_keys() if key.startswith(f"{place}.")][:3]
        wanted = f"it must be {' or '.join(dict.fromkeys(kinds)) or 'something else'}"
        if below and not kinds:
            wanted = f"it must hold options, such as {', '.join(below)}"
        return f"{place} is {given[:100]}: {wanted}"
    return one_line(message)


def one_line(error: object) -> str:
    """The text of an error without line breaks, cut where nobody reads on."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"


def option_keys(data: type | None = None) -> list[str]:
    """Every key of a training configuration, with those of a data module's class."""
    parts: dict[str, Callable[..., Any]] = {
        "trainer": Trainer, "model": LSegModule, "checkpoint": ModelCheckpoint,
        "data.init_args": data or SegmentationDataModule,
    }  # fmt: skip
    return [*TOP, *(key for name, part in parts.items() for key in _keys(name, part))]


def _keys(prefix: str, made: Callable[..., Any]) -> Iterator[str]:
    hints = typing.get_type_hints(made if is_dataclass(made) else made.__init__)
    for name in inspect.signature(made).parameters:
        yield f"{prefix}.{name}"
        kinds = [hints.get(name), *typing.get_args(hints.get(name))]
        for kind in kinds:
            if isinstance(kind, type) and is_dataclass(kind):
                yield from _keys(f"{prefix}.{name}", kind)


def _unknown(key: str, place: str, kind: type | None) -> str:
    if place == "data" and kind is not None:
        place = "data.init_args"
    if not key.startswith(place):
        key = f"{place}.{key}"
    keys = option_keys(kind) if place == "data.init_args" else option_keys()
    if kind is not None and place.startswith("trainer."):
        keys = list(_keys(place, kind))
    parent = key.rpartition(".")[0]
    siblings = [known for known in keys if known.rpartition(".")[0] == parent]
    near = get_close_matches(key, siblings, 1, 0.8) or get_close_matches(key, keys, 3, 0.8)
    hint = f"; near it: {', '.join(near)}" if near else ""
    return f"there is no option {key}{hint}. All options: lseg fit --help"


def _no_data_module(place: str, name: str) -> str:
    near = ", ".join(get_close_matches(name, _data_modules(), 9, 0))
    return f"{place}.class_path is {name}, which is no data module; there are: {near}"


def _data_modules() -> list[str]:
    """The data modules of this project, as configurations name them."""
    names = (name for name in lseg.data.__all__ if name.endswith("DataModule"))
    return [f"lseg.data.{name}" for name in names if name != SegmentationDataModule.__name__]


def _class_of(path: str) -> type | None:
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module), name, None)
    except (ImportError, ValueError):  # a module that is not there, or has no name
        return None
    return kind if isinstance(kind, type) else None


def _first(message: str, *patterns: str) -> str | None:
    """What the first pattern that is found captures."""
    found = (re.search(pattern, message, re.MULTILINE) for pattern in patterns)
    return next((match[1] for match in found if match), None)


def _plain(kind: str) -> str:
    """`<class 'int'>` as `int`, `typing.Literal['a', 'b']` as `one of 'a', 'b'`."""
    kind = kind.strip().removeprefix("a ").removeprefix("an ")
    if found := re.fullmatch(r"<class '(.+)'>", kind):
        return found[1]
    if found := re.fullmatch(r"typing\.Literal\[(.+)\]", kind):
        return f"one of {found[1]}"
    return kind
