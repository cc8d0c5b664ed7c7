"""Options of `lseg labels`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lseg.commands.options.base import Options, Spelling


@dataclass(frozen=True, kw_only=True)
class LabelsEncodeOptions(Options):
    """A label-embedding table of words of your own.

    Attributes:
        words: Between commas, or text files with one a line.
        clip_model: open_clip name of the text encoder, local-dir:FOLDER or tiny.
        pretrained: Its weights, a tag of open_clip or a file; openai if there is such a tag.
        template: Prompt template, {} for the word; of several, vectors are averaged.
        out: The table.
    """

    words: Annotated[Sequence[str], Spelling("WORDS", positional=True)]
    clip_model: Annotated[str, Spelling("NAME")]
    pretrained: Annotated[str | None, Spelling("TAG|FILE")] = None
    template: Sequence[str] = ("a photo of a {}",)
    out: Annotated[Path, Spelling("FILE")]


@dataclass(frozen=True, kw_only=True)
class LabelsMergeOptions(Options):
    """Label-embedding tables of one text encoder in one.

    Attributes:
        tables: Tables, or models that have one.
        out: The table of them all.
    """

    tables: Annotated[Sequence[str], Spelling("TABLE", positional=True)]
    out: Annotated[Path, Spelling("FILE")]


@dataclass(frozen=True, kw_only=True)
class LabelsListOptions(Options):
    """The names of a label-embedding table.

    Attributes:
        table: A table, or a model that has one.
    """

    table: Annotated[str, Spelling("TABLE", positional=True)]
