"""Options of `lseg demo`."""

from dataclasses import dataclass
from typing import Annotated

from lseg.commands.options.base import NonNegative, Spelling
from lseg.commands.options.shared import AskingOptions, ModelOptions, SizeOptions


@dataclass(frozen=True, kw_only=True)
class DemoOptions(ModelOptions, SizeOptions, AskingOptions):
    """A page to try labels on pictures, and its API.

    Attributes:
        host: Address to listen at; 0.0.0.0 lets other machines in.
        port: Port to listen at; the first free one from 7860 if not given.
        max_upload: Size of an uploaded picture's file.
        max_megapixels: Pixels of a picture.
        max_queue: Questions that may wait.
        cache: Encoded pictures that are kept.
    """

    host: str = "127.0.0.1"
    port: NonNegative | None = None
    max_upload: Annotated[NonNegative, Spelling("MB")] = 20
    max_megapixels: Annotated[NonNegative, Spelling("MP")] = 25
    max_queue: NonNegative = 64
    cache: Annotated[NonNegative, Spelling("MB")] = 512
