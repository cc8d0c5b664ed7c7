"""Reading options of others: each of the expected type, and of a value that networks here have."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from lseg.errors import CheckpointError

SIDES = ("image_size", "patch_size")
"""Options that are a number, or a list of height and width."""


def read_options(
    options: Mapping[str, Any], defaults: Mapping[str, Any], source: str
) -> dict[str, Any]:
    """The options named in `defaults`, each of the same type as its default.

    Args:
        options: As the file has them; None counts as left out.
        defaults: Names, and what they mean where they are left out.
        source: What to call the file in errors.

    Raises:
        CheckpointError: Naming the first option of another type.
    """
    values = {}
    for name, default in defaults.items():
        value = options.get(name)
        value = default if value is None else value
        if isinstance(default, list):
            fits = is_list_of(value, {type(item) for item in default} | {int})
        elif name in SIDES:
            fits = is_list_of(value, {int}) or type(value) is int
        else:
            fits = type(value) in {type(default), int if type(default) is float else type(default)}
        if not fits or (type(value) is int and value < 1):
            raise wrong_option(source, name, value, [f"something like {default!r}"])
        values[name] = value
    return values


def is_list_of(value: object, kinds: Container[type]) -> bool:
    """Whether a value is a list of these types alone."""
    return isinstance(value, list) and all(type(item) in kinds for item in value)


def read_side(values: Mapping[str, Any], name: str, source: str) -> int:
    """The side of a square, given as a number or as height and width.

    Raises:
        CheckpointError: If it is no square.
    """
    value = values[name]
    sides = set(value if isinstance(value, list) else [value])
    if len(sides) != 1 or not all(type(side) is int and side > 0 for side in sides):
        raise wrong_option(source, name, value, ["a square"])
    return int(sides.pop())


def check_options(
    options: Mapping[str, Any], fixed: Mapping[str, Sequence[Any]], source: str
) -> None:
    """Makes sure that options, where they are given, have one of the values in `fixed`.

    Raises:
        CheckpointError: Naming the first that has not.
    """
    for name, accepted in fixed.items():
        value = options.get(name)
        if value is not None and value not in accepted:
            raise wrong_option(source, name, value, accepted)


def read_mapping(options: Mapping[str, Any], name: str, source: str) -> dict[str, Any]:
    """An option that is a mapping; empty where it is left out.

    Raises:
        CheckpointError: If it is something else.
    """
    value = options.get(name) or {}
    if not isinstance(value, dict):
        raise wrong_option(source, name, value, ["a mapping"])
    return value


def wrong_option(
    source: str, name: str, value: object, accepted: Iterable[object]
) -> CheckpointError:
    """The error for an option that networks here cannot have."""
    shown = str(value) if len(str(value)) < 80 else f"{str(value)[:80]}..."
    choices = " or ".join(map(str, accepted))
    return CheckpointError(
        f"{source}: {name} is {shown}, which networks here cannot have: only {choices}"
    )
