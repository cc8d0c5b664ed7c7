"""The commands of `lseg`: a function each, and a dataclass of its options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from lseg.commands.options.base import Options
from lseg.commands.options.convert import ConvertOptions
from lseg.commands.options.data_check import DataCheckOptions
from lseg.commands.options.demo import DemoOptions
from lseg.commands.options.depth import DepthOptions
from lseg.commands.options.embed import EmbedOptions
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.options.export import ExportOptions
from lseg.commands.options.fewshot import FewShotOptions
from lseg.commands.options.labels import (
    LabelsEncodeOptions,
    LabelsListOptions,
    LabelsMergeOptions,
)
from lseg.commands.options.memory import (
    MemoryAddOptions,
    MemoryBuildOptions,
    MemoryListOptions,
    MemoryRemoveOptions,
)
from lseg.commands.options.predict import PredictOptions
from lseg.commands.options.query import QueryOptions


@dataclass(frozen=True)
class Command:
    """A command: the function of its name in the module of its name, and its options.

    Attributes:
        name: As on the command line, such as `data check`.
        options: Their type.
    """

    name: str
    options: type[Options]

    @property
    def summary(self) -> str:
        """What it makes, in a line."""
        return (inspect.getdoc(self.options) or "").partition("\n")[0].rstrip(".")

    def load(self) -> Callable[[Options], None]:
        """The function; its module, and torch with it, are imported now."""
        name = self.name.replace(" ", "_")
        function: Callable[[Options], None] = getattr(import_module(f"lseg.commands.{name}"), name)
        return function


COMMANDS = (
    Command("predict", PredictOptions),
    Command("embed", EmbedOptions),
    Command("query", QueryOptions),
    Command("depth", DepthOptions),
    Command("demo", DemoOptions),
    Command("evaluate", EvaluateOptions),
    Command("fewshot", FewShotOptions),
    Command("memory build", MemoryBuildOptions),
    Command("memory add", MemoryAddOptions),
    Command("memory remove", MemoryRemoveOptions),
    Command("memory list", MemoryListOptions),
    Command("data check", DataCheckOptions),
    Command("labels encode", LabelsEncodeOptions),
    Command("labels merge", LabelsMergeOptions),
    Command("labels list", LabelsListOptions),
    Command("convert", ConvertOptions),
    Command("export", ExportOptions),
)
