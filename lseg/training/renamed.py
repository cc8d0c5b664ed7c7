"""Classes that configurations of earlier versions name, and where they are now."""

from __future__ import annotations

from typing import Any

import yaml  # type: ignore[import-untyped]

import lseg.data
from lseg.parsing import parse_yaml

_FORMER_MODULES = {
    "lseg.data.datamodule": ("PairsDataModule", "SegmentationDataModule", "ShapesDataModule"),
    "lseg.data.zeroshot": ("ZeroShotDataModule",),
    "lseg.data.benchmarks": (
        "CocoBenchmark",
        "FssBenchmark",
        "PairsBenchmark",
        "PascalBenchmark",
    ),
    "lseg.data.shapes_source": ("ShapesBenchmark",),
}

FORMER_PATHS = {
    f"{module}.{name}": f"lseg.data.{name}"
    for module, names in _FORMER_MODULES.items()
    for name in names
}
"""Former class paths and those of today."""

# A class's name alone is enough as well, though its module is imported only when it is used.
_NAMES = {name: f"lseg.data.{name}" for name in lseg.data.__all__}


def renamed(values: Any) -> Any:
    """Values of a configuration, at any depth, with today's class paths."""
    if isinstance(values, dict):
        return {key: renamed(value) for key, value in values.items()}
    if isinstance(values, list):
        return [renamed(value) for value in values]
    if isinstance(values, str):
        return FORMER_PATHS.get(values) or _NAMES.get(values) or values
    return values


def renamed_argument(argument: str) -> str:
    """An argument of the command line, such as `--data=PATH`, with today's class paths."""
    option, equals, value = argument.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_renamed_text(value)}"
    return _renamed_text(argument)


def _renamed_text(text: str) -> str:
    """A class path, or YAML that names some; any other text stays as it is."""
    if any(path in text for path in FORMER_PATHS):
        try:
            values = parse_yaml(text)
        except ValueError:
            return text  # whoever reads it says what is wrong
        if isinstance(values, dict):
            return str(yaml.safe_dump(renamed(values), sort_keys=False))
    return str(renamed(text))
