"""Suites: lists of data sets, each with options of `lseg evaluate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lseg.errors import ConfigError, shown
from lseg.parsing import parse_yaml
from lseg.paths import is_file, user_path

_FORM = (
    "A suite is a YAML list whose entries have the names of the options of `lseg evaluate`, such "
    "as {name: CamVid, dataset: pairs, data_root: data/camvid11, split: val, ignore_index: 11}"
)
_LABEL_FILES = ("prompts", "label_file")


@dataclass(frozen=True)
class SuiteEntry:
    """A data set of a suite.

    Attributes:
        name: What its column is called.
        options: Of `lseg evaluate`, with underscores.
    """

    name: str
    options: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        """As `--dataset` names it."""
        return str(self.options["dataset"])


@dataclass(frozen=True)
class SuiteRow:
    """The figures of a model on a data set of a suite."""

    entry: SuiteEntry
    model: str
    figures: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Name, model, data set, and the figures, without those of each picture."""
        figures = {key: value for key, value in self.figures.items() if key != "areas"}
        head = {"name": self.entry.name, "model": self.model, "dataset": self.entry.dataset}
        return {**head, **figures}


def read_suite(path: Path, known: Collection[str]) -> list[SuiteEntry]:
    """The entries of a suite file.

    An entry without `name` is called after its data set, or after its folder where that is
    `pairs`. Files of labels that lie beside the suite are taken from there.

    Args:
        path: A YAML file.
        known: Names of the options that an entry may have, with underscores.

    Raises:
        ConfigError: If the file cannot be read, an option is unknown, `dataset` is missing, or two
            entries are given the same name.
    """
    path = user_path(path, ConfigError)
    try:
        values = parse_yaml(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{path} holds no list. {_FORM}")
    where = [f"{path}, entry {number}" for number in range(1, len(values) + 1)]
    options = [
        _beside(_options(value, known, place), path.parent)
        for value, place in zip(values, where, strict=True)
    ]
    given = Counter(str(one["name"]) for one in options if "name" in one)
    repeated = [name for name, count in given.items() if count > 1]
    if repeated:
        raise ConfigError(f"{path}: two entries are called {repeated[0]!r}; give other names")
    taken: Counter[str] = Counter(given)
    entries = []
    for one in options:
        name = str(one.pop("name", ""))
        if not name:
            name = _default_name(one)
            taken[name] += 1
            name = name if taken[name] == 1 else f"{name} ({taken[name]})"
        entries.append(SuiteEntry(name, one))
    return entries


def _options(value: object, known: Collection[str], where: str) -> dict[str, Any]:
    """An entry's options, checked."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is {shown(value)}. {_FORM}")
    accepted = sorted({"name", *known})
    options = {}
    for key, setting in value.items():
        option = str(key).replace("-", "_")
        if option not in accepted:
            close = get_close_matches(option, accepted, n=1, cutoff=0)
            raise ConfigError(
                f"{where}: there is no option {shown(key)}, the nearest is {close[0]!r}; options "
                f"are {', '.join(accepted)}"
            )
        if option in options:
            raise ConfigError(f"{where}: {option!r} is given twice")
        options[option] = setting
    if not isinstance(options.get("dataset"), str):
        raise ConfigError(f"{where} names no `dataset`. {_FORM}")
    return options


def _beside(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Options whose files of labels are named with the suite's folder, where they lie there."""
    named = {key: folder / str(options[key]) for key in _LABEL_FILES if options.get(key)}
    return options | {key: str(path.resolve()) for key, path in named.items() if is_file(path)}


def _default_name(options: Mapping[str, Any]) -> str:
    root = options.get("data_root")
    return Path(str(root)).name if root and options["dataset"] == "pairs" else options["dataset"]
