"""Options of `lseg predict`."""

from dataclasses import dataclass
from typing import Literal

from lseg.commands.options.shared import (
    AskingOptions,
    MemoryOptions,
    PictureRunOptions,
    ViewOptions,
)


@dataclass(frozen=True, kw_only=True)
class PredictOptions(PictureRunOptions, ViewOptions, AskingOptions, MemoryOptions):
    """Label maps and overlays of pictures.

    Attributes:
        labels: Labels between commas ("sky,road|street,other"), or a text file with one a line;
            not for a network with classes of its own.
        format: files: label map, overlay and JSON of each picture; coco: one COCO instances file
            for all.
        without_other: No COCO annotations of other and background.
    """

    labels: str | None = None
    format: Literal["files", "coco"] = "files"
    without_other: bool = False
