"""What to ask a text encoder for, class by class of a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lseg.data.base.labels import display_name, load_prompts, read_label_lines
from lseg.errors import LabelError
from lseg.paths import resolve_data_path

ClassNaming = Literal["plain", "own", "synonyms"]
"""`plain`: a class by its usual word (potted plant). `own`: as the set calls it (pottedplant).
`synonyms`: by all of its words, averaged (potted plant|plant pot|planter)."""


@dataclass(frozen=True)
class ClassLabels:
    """Where labels come from.

    Attributes:
        names: See `ClassNaming`.
        prompts: JSON file {class name: label}, in place of the names.
        file: Text file, a label a line in the order of the classes, in place of the names.
    """

    names: ClassNaming = "plain"
    prompts: str | None = None
    file: Path | None = None

    def __post_init__(self) -> None:
        """Refuses two files."""
        if self.prompts is not None and self.file is not None:
            raise LabelError("choose one of --prompts and --label-file")

    def labels(self, classes: Sequence[str], prompts: Sequence[str] = ()) -> list[str]:
        """One label a class.

        Args:
            classes: The set's own names.
            prompts: What the set's label file asks for, synonyms between bars; empty if there is
                no such file.

        Raises:
            LabelError: If a file cannot be read or does not fit the classes.
        """
        if self.prompts is not None:
            return load_prompts(resolve_data_path(self.prompts), classes)
        if self.file is not None:
            return _fitting(self.file, classes)
        if not prompts or self.names == "own":
            return list(classes)
        return list(prompts) if self.names == "synonyms" else [display_name(p) for p in prompts]


def _fitting(path: Path, classes: Sequence[str]) -> list[str]:
    labels = read_label_lines(path)
    if len(labels) != len(classes):
        raise LabelError(
            f"{path} has {len(labels)} labels for {len(classes)} classes: give one a line, from "
            f"{classes[0]!r} to {classes[-1]!r}"
        )
    return labels
