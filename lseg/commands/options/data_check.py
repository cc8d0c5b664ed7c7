"""Options of `lseg data check`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lseg.commands.options.shared import BenchmarkFolder, DataOptions
from lseg.data.sets.registry import SetName


@dataclass(frozen=True, kw_only=True)
class DataCheckOptions(DataOptions):
    """What is missing or corrupt in a data set.

    Attributes:
        dataset: Kind of the data set.
        split: Lists to check, such as val; all that are there if not given.
    """

    dataset: Literal[SetName, BenchmarkFolder, "pairs"]
    split: Sequence[str] | None = None
