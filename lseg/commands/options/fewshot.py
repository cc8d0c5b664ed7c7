"""Options of `lseg fewshot`."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lseg.commands.options.base import NonNegative, Positive, Spelling
from lseg.commands.options.shared import Benchmark, CountOptions, DataOptions
from lseg.commands.output import lock_file


@dataclass(frozen=True, kw_only=True)
class FewShotOptions(DataOptions, CountOptions):
    """Zero-shot and few-shot benchmarks.

    Attributes:
        benchmark: Which one.
        fold: A fold's number from 0, or all.
        shots: Supports an episode.
        episodes: The first N of a fold only.
        seed: Of the episodes.
        label_file: One label a class, a line.
        natural_names: 'potted plant' for pottedplant, where the original's spelling is default.
        background_label: Label of the rest.
        visual_weight: Share of supports against text, 0 to 1.
        size: Side of the pictures; the protocol's if not given.
        split: Test list of a pairs folder.
        batch_size: Episodes at a time.
        save_pictures: Answers of each fold to save as pictures.
        out: Where to write the figures.
    """

    benchmark: Benchmark
    fold: Annotated[str, Spelling("K|all")] = "all"
    shots: NonNegative = 0
    episodes: NonNegative | None = None
    seed: NonNegative = 0
    label_file: Annotated[Path | None, Spelling("FILE")] = None
    natural_names: bool = False
    background_label: str = "others"
    visual_weight: float | None = None
    size: NonNegative | None = None
    split: str = "val"
    batch_size: Positive = 4
    save_pictures: NonNegative = 0
    out: Annotated[Path | None, Spelling("FILE.json")] = None

    def lock(self) -> AbstractContextManager[None]:
        """See `Options`."""
        return lock_file(self.out)
