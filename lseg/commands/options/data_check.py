"""Options of `lseg data check`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lseg.commands.options.shared import DataOptions


@dataclass(frozen=True, kw_only=True)
class DataCheckOptions(DataOptions):
    """What is missing or corrupt in a data set.

    Attributes:
        dataset: Kind of the data set.
        split: Lists to check, such as val; all that are there if not given.
    """

    dataset: Literal["pairs", "pascal5i", "coco20i", "fss1000"]
    split: Sequence[str] | None = None
