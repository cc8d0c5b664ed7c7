"""Options of `lseg export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from lseg.commands.options.base import Spelling
from lseg.commands.options.shared import CheckpointOptions


@dataclass(frozen=True, kw_only=True)
class ExportOptions(CheckpointOptions):
    """A network, of an LSeg the image side, as ONNX or torch.export program.

    Attributes:
        out: The program, whose name ends in .onnx or .pt2; or the folder to make.
        format: A program, or a folder that transformers opens as its own.
    """

    out: Annotated[Path, Spelling("FILE")]
    format: Literal["program", "transformers"] = "program"
