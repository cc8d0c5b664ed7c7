"""Configurations that build on others: `base: [FILE, ...]` in a YAML, so that parts are shared.

Bases are looked up beside the file that names them, and may have bases themselves. What comes
later wins, the file's own values last: mappings are merged key by key, anything else is replaced.
Where the later one names another class, the arguments of the earlier one go with it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from lseg.errors import ConfigError, shown
from lseg.parsing import parse_yaml
from lseg.paths import is_special, refuse_special
from lseg.training.renamed import renamed, renamed_argument

Values = dict[str, Any]

BASE = "base"
CLASS, ARGUMENTS = "class_path", "init_args"
_FLAGS = ("--config", "-c")
_LONGEST = 255  # characters of a file's name; what is longer is YAML in one line


def with_bases(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with every `--config FILE` that has bases replaced by the merged YAML.

    Class paths of earlier versions become today's, in files and in arguments.

    Raises:
        ConfigError: If a base is missing, no mapping, no YAML, or leads back to itself.
    """
    expanded: list[str] = []
    for position, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if equals and flag in _FLAGS:
            expanded.append(f"{flag}={_merged_text(value)}")
        elif position > 0 and arguments[position - 1] in _FLAGS:
            expanded.append(_merged_text(argument))
        else:
            expanded.append(renamed_argument(argument))
    return expanded


def read_config(file: Path) -> Values:
    """The values of a configuration with those of its bases.

    Raises:
        ConfigError: As `with_bases`.
    """
    return _read(file, ())


def merge(first: Values, second: Values) -> Values:
    """The values of both, the second's where both have one."""
    merged = dict(first)
    if CLASS in first and second.get(CLASS, first[CLASS]) != first[CLASS]:
        merged.pop(ARGUMENTS, None)
    for key, value in second.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _merged_text(value: str) -> str:
    """The YAML of a file that must be changed; the name itself of any other, for the parser."""
    if "\n" in value or len(value) > _LONGEST:
        return renamed_argument(value)
    file = Path(value).expanduser()
    if not (file.is_file() or is_special(file)):
        return renamed_argument(value)
    values = _load(file)
    if BASE not in values and renamed(values) == values:
        return str(file)
    return yaml.safe_dump(read_config(file), sort_keys=False)


def _read(file: Path, above: tuple[Path, ...]) -> Values:
    place = file.resolve()
    if place in above:
        chain = " -> ".join(path.name for path in (*above, place))
        raise ConfigError(f"{file}: its bases lead back to itself ({chain}); leave one out")
    own: Values = renamed(_load(file))
    names = own.pop(BASE, [])
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"{file}: base is {shown(names)}; give the name of a file, or a list of names"
        )
    values: Values = {}
    for name in names:
        values = merge(values, _read(file.parent / Path(name).expanduser(), (*above, place)))
    return merge(values, own)


def _load(file: Path) -> Values:
    refuse_special(file, ConfigError)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"the configuration {file} cannot be read: {reason}") from error
    try:
        values = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{file} is no YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file} holds no mapping of names to values")
    return values
