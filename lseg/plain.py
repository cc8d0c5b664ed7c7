"""Dataclasses as plain values, ready for JSON, and back."""

import dataclasses
import difflib
import typing
from types import NoneType, UnionType
from typing import Any, Literal

from lseg.errors import ConfigError, shown

LARGEST_NUMBER = 2**16
"""In a configuration that is read; no width and no depth of a network comes near it, and building
what is asked for beyond would take hours, or all of the memory."""


def plain(value: Any) -> Any:
    """Tuples become lists, all the way down."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def built(cls: Any, values: Any, where: str) -> Any:
    """A dataclass from plain values, nested dataclasses and tuples included."""
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must be a mapping, got {type(values).__name__}")
    types = typing.get_type_hints(cls)
    arguments = {}
    for key, value in values.items():
        if key not in types:
            near = difflib.get_close_matches(str(key)[:64], types, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(types)}"
            raise ConfigError(f"{where} has no field {shown(key)}: {hint}")
        if dataclasses.is_dataclass(types[key]):
            value = built(types[key], value, f"{where}.{key}")
        else:
            value = _checked(types[key], value, f"{where}.{key}")
        arguments[key] = value
    return cls(**arguments)


def _checked(kind: Any, value: Any, where: str) -> Any:
    """A plain value in the type of its field: lists become tuples, whole numbers real ones.

    Raises:
        ConfigError: If it is of another type, none of the choices, or has a number that is not
            finite or too large.
    """
    if not _is_moderate(value):
        raise ConfigError(f"{where} is {shown(value)}: give numbers up to {LARGEST_NUMBER}")
    members = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} is {shown(value)}: give a list")
        if Ellipsis in members:
            members = members[:1] * len(value)
        if len(value) != len(members):
            raise ConfigError(f"{where} has {len(value)} values: give {len(members)}")
        pairs = enumerate(zip(members, value, strict=True))
        return tuple(_checked(member, part, f"{where}[{i}]") for i, (member, part) in pairs)
    if typing.get_origin(kind) is Literal:
        if value in members:
            return value
        accepted = "choose one of " + ", ".join(map(str, members))
    elif typing.get_origin(kind) is UnionType:  # of a type and null
        (member,) = (member for member in members if member is not NoneType)
        return None if value is None else _checked(member, value, where)
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        accepted = "give a number"
    else:
        plain = typing.get_origin(kind) or kind
        if isinstance(value, plain) and (plain is bool or not isinstance(value, bool)):
            return value
        accepted = f"give {_PLAIN_TYPES[plain]}"
    raise ConfigError(f"{where} is {shown(value)}: {accepted}")


_PLAIN_TYPES = {bool: "true or false", int: "a whole number", str: "a text", dict: "a mapping"}


def _is_moderate(value: Any) -> bool:
    """Whether all numbers in a plain value are finite, and none is too large to build."""
    if isinstance(value, dict):
        return all(map(_is_moderate, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_moderate, value))
    return not isinstance(value, int | float) or -LARGEST_NUMBER <= value <= LARGEST_NUMBER
