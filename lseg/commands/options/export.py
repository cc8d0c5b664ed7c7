"""Options of `lseg export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lseg.commands.options.base import Spelling
from lseg.commands.options.shared import CheckpointOptions


@dataclass(frozen=True, kw_only=True)
class ExportOptions(CheckpointOptions):
    """A network, of an LSeg the image side, as ONNX or torch.export program.

    Attributes:
        out: The program; its name ends in .onnx or .pt2.
    """

    out: Annotated[Path, Spelling("FILE")]
