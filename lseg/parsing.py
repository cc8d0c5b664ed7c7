"""JSON and YAML from anywhere: values, or one kind of error whatever is wrong with the text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

import yaml  # type: ignore[import-untyped]

from lseg.errors import shown

MOST_VALUES = 1_000_000
"""Of a YAML text when its aliases are written out; a kilobyte of them can stand for more than any
memory holds."""

_RAISED_BY_YAML = (
    yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError,
)  # fmt: skip
"""By PyYAML's safe constructors: of dates that are none, of `!!bool maybe`, of `!!int ""`."""

_KINDS = {
    bool: "true or false", int: "whole number", float: "finite number", str: "text", list: "list",
    dict: "object",
}  # fmt: skip
_EXACT = 2**53

FieldT = TypeVar("FieldT", bool, int, float, str, list[Any], dict[str, Any])
Pairs = Callable[[list[tuple[str, Any]]], Any]


def parse_json(text: str | bytes, object_pairs_hook: Pairs | None = None) -> Any:
    """Return what a JSON text says; NaN and infinite numbers are among it.

    Args:
        text: Bytes are UTF-8, -16 or -32, as the standard has it.
        object_pairs_hook: Makes something else than a dict of an object's (name, value) pairs.

    Raises:
        ValueError: If it is no JSON, is nested deeper than Python can follow, or has a number that
            is longer than Python reads; in one line.
    """
    try:
        return json.loads(text, object_pairs_hook=object_pairs_hook)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_yaml(text: str) -> Any:
    """Return what a YAML text says; tags that would make objects of Python are refused.

    Raises:
        ValueError: If it is no YAML, is nested deeper than Python can follow, or its aliases lead
            back to themselves or stand for more than `MOST_VALUES`; in one line.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _expanded_size(node, {}) > MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {MOST_VALUES} values")
        return loader.construct_document(node)
    except RecursionError as error:
        raise ValueError("it is nested too deeply, or in itself") from error
    except _RAISED_BY_YAML as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def field(values: object, name: str, kind: type[FieldT]) -> FieldT:
    """Return what an object of JSON has under a name.

    Args:
        values: The object.
        name: Of the field.
        kind: Its type; whole numbers are real ones too.

    Raises:
        ValueError: If there is none, or it is of another type, or a number that is not finite.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{shown(values)} is no object")
    if name not in values:
        raise ValueError(f"it has no {name!r}")
    value = values[name]
    if kind is float and type(value) is int and abs(value) < _EXACT:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"its {name!r} is {shown(value)}, which is no {_KINDS[kind]}")
    return value


def _expanded_size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes there are, those of an alias counted wherever it stands.

    Args:
        node: One that holds itself raises a RecursionError.
        known: Sizes by the `id` of a node, so that each is counted once.
    """
    if id(node) not in known:
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        if isinstance(node, yaml.MappingNode):
            parts = (part for pair in parts for part in pair)
        known[id(node)] = 1 + sum(_expanded_size(part, known) for part in parts)
    return known[id(node)]
