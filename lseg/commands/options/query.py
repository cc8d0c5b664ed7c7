"""Options of `lseg query`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lseg.commands.options.base import Spelling
from lseg.commands.options.shared import AskingOptions, MemoryOptions, RunOptions
from lseg.commands.output import going_on_in, lock_folder


@dataclass(frozen=True, kw_only=True)
class QueryOptions(RunOptions, AskingOptions, MemoryOptions):
    """Label maps from files of embeddings.

    Attributes:
        embeddings: Files that `lseg embed` wrote, folders or patterns.
        labels: Labels between commas ("sky,road|street,other"), or a text file with one a line.
        out: Folder for the results.
        text_table: Label-embedding table, or the folder of a model or a converted CLIP, in place
            of the text encoder that the embeddings name.
        templates: What labels are put into for the text encoder, as for `lseg predict`; as the
            embeddings say if not given.
        pictures: Where the pictures are, for the overlays.
    """

    embeddings: Annotated[Sequence[str], Spelling("EMBEDDINGS", positional=True)]
    labels: str
    out: Annotated[Path, Spelling("DIR")]
    text_table: Annotated[str | None, Spelling("FILE")] = None
    templates: Annotated[str | None, Spelling("NAME|FILE")] = None
    pictures: Annotated[Path | None, Spelling("FOLDER")] = None

    def lock(self) -> AbstractContextManager[None]:
        """See `Options`."""
        return lock_folder(self.out)

    def going_on(self) -> str:
        """See `Options`."""
        return going_on_in(self.out)
