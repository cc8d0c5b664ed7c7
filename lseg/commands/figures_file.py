"""The JSON file of `lseg evaluate --out`, with the options beside it."""

from typing import Any

from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.output import output_file
from lseg.commands.record import OptionsRecord
from lseg.evaluation.report import versions
from lseg.files import write_json


class FiguresFile:
    """Takes figures if `--out` names a file; checked before any work is done."""

    def __init__(self, options: EvaluateOptions) -> None:
        """Nothing is written yet.

        Raises:
            LSegError: If the file, or the record of options beside it, cannot be written.
        """
        self.options = options
        self.path = None if options.out is None else output_file(options.out)
        self._record = (
            None if self.path is None else OptionsRecord.beside(self.path, "evaluate", options)
        )

    def write(self, figures: dict[str, Any]) -> None:
        """Writes figures with options and versions; the long areas of pictures come last."""
        if self.path is None or self._record is None:
            return
        details = {"options": self.options.to_dict(), "versions": versions()}
        last = {key: value for key, value in figures.items() if key == "areas"}
        first = {key: value for key, value in figures.items() if key != "areas"}
        self._record.write()
        write_json(self.path, {**first, **details, **last})

    def announce(self) -> None:
        """Says where the figures are."""
        if self.path is not None:
            print(f"written to {self.path}")
