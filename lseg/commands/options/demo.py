"""Options of `lseg demo`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from lseg.commands.options.base import NonNegative, Spelling
from lseg.commands.options.shared import AskingOptions, ModelOptions, SizeOptions


@dataclass(frozen=True, kw_only=True)
class DemoOptions(ModelOptions, SizeOptions, AskingOptions):
    """A page to try labels on pictures, and its API.

    Attributes:
        host: Address to listen at; 0.0.0.0 lets other machines in.
        auth: Name and file of a password; nobody comes in without. For demos that others reach.
        allowed_hosts: Names that the demo is reached by, besides those of this machine, such as
            that of a proxy in front of it.
        port: Port to listen at; the first free one from 7860 if not given.
        max_upload: Size of an uploaded picture's file.
        max_megapixels: Pixels of a picture.
        max_queue: Questions that may wait.
        cache: Encoded pictures that are kept.
    """

    host: str = "127.0.0.1"
    auth: Annotated[str | None, Spelling("USER:FILE")] = None
    allowed_hosts: Annotated[Sequence[str] | None, Spelling("NAME")] = None
    port: NonNegative | None = None
    max_upload: Annotated[NonNegative, Spelling("MB")] = 20
    max_megapixels: Annotated[NonNegative, Spelling("MP")] = 25
    max_queue: NonNegative = 64
    cache: Annotated[NonNegative, Spelling("MB")] = 512
