"""Options of `lseg evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from lseg.commands.options.base import Spelling, Whole
from lseg.commands.options.shared import DataOptions, ModelOptions, ViewOptions


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(DataOptions, ModelOptions, ViewOptions):
    """mIoU and pixel accuracy on a data set.

    Attributes:
        dataset: Kind of the data set.
        split: List of pictures of a pairs folder.
        unseen: Also seen, unseen and harmonic mIoU: a fold's number, or the unseen classes' names.
        workers: Processes that read pictures.
        out: Where to write the figures.
    """

    dataset: Literal["pairs", "pascal5i", "coco20i", "fss1000", "shapes"]
    split: str = "val"
    unseen: Annotated[str | None, Spelling("K|NAMES")] = None
    workers: Whole = 1
    out: Annotated[Path | None, Spelling("FILE.json")] = None
