"""What to ask the text encoder for, class by class of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lseg.data.base.labels import load_prompts, read_label_lines
from lseg.data.fewshot.sources import MaskSource
from lseg.data.sets.class_names import natural_name
from lseg.errors import LabelError
from lseg.paths import resolve_data_path


@dataclass(frozen=True)
class LabelChoice:
    """Where labels come from; the original's spelling of the class names by default.

    Attributes:
        file: Text file, one label a line, in the benchmark's class order.
        prompts: JSON file {class name: label}.
        natural: Write names as people do: `potted plant` for `pottedplant`.
    """

    file: Path | None = None
    prompts: str | None = None
    natural: bool = False

    def __post_init__(self) -> None:
        """Refuses more than one choice."""
        if sum([self.file is not None, self.prompts is not None, self.natural]) > 1:
            raise LabelError("choose one of --label-file, --prompts and --natural-names")

    def labels(self, source: MaskSource) -> list[str]:
        """One label a class.

        Raises:
            LabelError: If a file cannot be read or does not fit the classes.
        """
        if self.file is not None:
            return read_label_file(self.file, source)
        if self.prompts is not None:
            return load_prompts(resolve_data_path(self.prompts), source.classes)
        return [natural_name(name) if self.natural else name for name in source.classes]


def read_label_file(path: Path, source: MaskSource) -> list[str]:
    """One label a line: for each class, or for each class number, as FSS-1000's file of 1000 has.

    Raises:
        LabelError: If the file cannot be read, has an empty line, or another number of lines.
    """
    labels = read_label_lines(path)
    count = len(source.classes)
    if len(labels) == count:
        return labels
    if source.offset and len(labels) >= source.offset + count:
        return labels[source.offset : source.offset + count]
    wanted = f"{count}" if not source.offset else f"{count} or at least {source.offset + count}"
    raise LabelError(
        f"{path} has {len(labels)} labels, {source.name} has {count} classes: give {wanted} lines"
    )
