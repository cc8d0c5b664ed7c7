"""Options of `lseg memory`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from lseg.commands.options.base import NonNegative, Options, Positive, Spelling
from lseg.commands.options.shared import DataOptions, ModelOptions, SizeOptions
from lseg.commands.output import lock_file
from lseg.data.sets.registry import SetName


@dataclass(frozen=True, kw_only=True)
class MemoryBuildOptions(DataOptions, ModelOptions, SizeOptions):
    """A memory of examples out of pictures with masks.

    Attributes:
        dataset: Kind of the folder.
        split: Its list of pictures.
        labels: Only these classes: labels between commas, or a text file with one a line.
        shots: Pictures for each class, drawn by --seed; all if not given.
        seed: Of the pictures that are drawn.
        out: The memory.
    """

    dataset: Literal[SetName, "pairs"] = "pairs"
    split: str = "train"
    labels: str | None = None
    shots: Positive | None = None
    seed: NonNegative = 0
    out: Annotated[Path, Spelling("FILE.safetensors")]


@dataclass(frozen=True, kw_only=True)
class MemoryAddOptions(ModelOptions):
    """One more example in a memory, which is made if there is none.

    Attributes:
        memory: The memory.
        image: The picture.
        label: What it shows.
        mask: A picture of its size: 0 is not the label, 255 or 1 is.
        box: Around the thing, in pixels: left top right bottom.
        points: Pixels of the thing, between commas: "120 80, 131 92".
    """

    memory: Annotated[Path, Spelling("MEMORY", positional=True)]
    image: Annotated[Path, Spelling("IMAGE", positional=True)]
    label: str
    mask: Annotated[Path | None, Spelling("FILE")] = None
    box: Annotated[Sequence[int] | None, Spelling("N")] = None
    points: Annotated[str | None, Spelling("X Y, ...")] = None

    def lock(self) -> AbstractContextManager[None]:
        """See `Options`."""
        return lock_file(self.memory)


@dataclass(frozen=True, kw_only=True)
class MemoryRemoveOptions(Options):
    """A memory without some labels.

    Attributes:
        memory: The memory.
        labels: Between commas, or a text file with one a line.
    """

    memory: Annotated[Path, Spelling("MEMORY", positional=True)]
    labels: str

    def lock(self) -> AbstractContextManager[None]:
        """See `Options`."""
        return lock_file(self.memory)


@dataclass(frozen=True, kw_only=True)
class MemoryListOptions(Options):
    """The examples of a memory.

    Attributes:
        memory: The memory.
    """

    memory: Annotated[Path, Spelling("MEMORY", positional=True)]
