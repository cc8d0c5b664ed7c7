"""Options of `lseg evaluate`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from lseg.commands.options.base import Positive, Spelling
from lseg.commands.options.shared import (
    AskingOptions,
    Benchmark,
    CountOptions,
    DataOptions,
    MemoryOptions,
    ViewOptions,
)
from lseg.commands.output import lock_file
from lseg.data.sets.class_labels import ClassNaming
from lseg.data.sets.registry import SetName


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(DataOptions, CountOptions, ViewOptions, AskingOptions, MemoryOptions):
    """mIoU and other figures of a model, or of label maps, on data sets.

    Attributes:
        dataset: Kind of the data set.
        split: Of the data set: train, val, or the list of a pairs folder.
        names: What classes of published sets are called: the usual word, the set's own, or all
            synonyms averaged. plain if not given.
        label_file: One label a class, a line, in place of the names.
        unseen: Also seen, unseen and harmonic mIoU: a fold's number, or the unseen classes' names.
        protocol: lseg shows pictures as LSeg's authors did: longer side 520, windows of 480,
            scales 0.5 to 1.75, flip; --size, --window, --scales and --no-flip change these.
        predictions: Judge these label maps in place of a model's: <stem>.png of indices, or a COCO
            instances JSON.
        claimed: An mIoU that was stated for these label maps, to be checked.
        compare: Two tables that --out wrote, to be set against one another.
        suite: YAML list of data sets, each with options of this command.
        models: Models of a suite, in place of --checkpoint.
        examples: Folder to draw examples of the classes from, of the same kind as the data set.
        examples_split: Of the examples.
        shots: Pictures that are drawn for each class; they show the other classes in them, too.
        seeds: So many draws, whose figures are averaged.
        half: Examples for half of the classes alone.
        mislabel: This share of the examples is called by another class's name, to see what
            mistakes in them do.
        out: Where to write the figures.
    """

    dataset: Literal[SetName, Benchmark] | None = None
    split: str = "val"
    names: ClassNaming | None = None
    label_file: Annotated[Path | None, Spelling("FILE")] = None
    unseen: Annotated[str | None, Spelling("K|NAMES")] = None
    protocol: Literal["plain", "lseg"] = "plain"
    predictions: Annotated[Path | None, Spelling("DIR")] = None
    claimed: Annotated[float | None, Spelling("MIOU")] = None
    compare: Annotated[Sequence[str] | None, Spelling("FILE.json")] = None
    suite: Annotated[Path | None, Spelling("FILE.yaml")] = None
    models: Annotated[Sequence[str] | None, Spelling("MODEL")] = None
    examples: Annotated[str | None, Spelling("FOLDER")] = None
    examples_split: str = "train"
    shots: Positive = 5
    seeds: Positive = 5
    half: bool = False
    mislabel: float = 0.0
    out: Annotated[Path | None, Spelling("FILE.json")] = None

    def lock(self) -> AbstractContextManager[None]:
        """See `Options`."""
        return lock_file(self.out)


SUITE_OPTIONS = (
    "dataset", "data_root", "split", "splits", "names", "prompts", "label_file", "ignore_index",
    "unseen", "size", "scales", "flip", "window", "window_batch", "protocol", "synonyms", "other",
    "workers",
)  # fmt: skip
"""What an entry of a suite may say; the rest is the run's."""
