"""Options of `lseg convert`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from lseg.commands.options.base import NonNegative, Options, Spelling
from lseg.config import Activation, Block


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(Options):
    """A published LSeg, DPT or CLIP checkpoint to a folder.

    Attributes:
        source: Checkpoint file, Hugging Face folder of the DPT family, or encoder as published.
        destination: The model folder to make.
        block: Spatial blocks of an LSeg (arch_option 2 is depthwise, 1 is bottleneck).
        block_depth: How often they are applied.
        block_activation: Their activation.
        labels: Class names of a segmentation network: between commas, or a text file.
        scale: Factor of a depth network that inverts.
        shift: Summand of a depth network that inverts.
        size: Shorter side of its input, if unusual.
        invert: Depth in place of inverse depth.
        clip_model: open_clip name of a CLIP that is no OpenAI's.
        task: Which head of a TIPSv2-DPT, if not depth.
    """

    source: Annotated[Path, Spelling("SOURCE", positional=True)]
    destination: Annotated[Path, Spelling("DESTINATION", positional=True)]
    block: Block = "none"
    block_depth: NonNegative = 1
    block_activation: Activation = "relu"
    labels: str | None = None
    scale: float = 1.0
    shift: float = 0.0
    size: NonNegative | None = None
    invert: bool = False
    clip_model: Annotated[str | None, Spelling("NAME")] = None
    task: Literal["depth", "normals", "segmentation"] | None = None
