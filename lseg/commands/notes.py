"""What a command says, and how it is printed."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TextIO

from lseg.errors import LSegWarning, escaped_lines


@contextmanager
def notes_on_stderr() -> Iterator[None]:
    """For the block, this project's warnings are one line each on standard error, said once."""
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", LSegWarning)
        others = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, LSegWarning):
                others(message, category, filename, lineno, file, line)
            elif str(message) not in said:
                said.add(str(message))
                print(f"lseg: note: {escaped_lines(str(message))}", file=sys.stderr)

        warnings.showwarning = show
        yield


def escape_what_cannot_be_printed() -> None:
    """File names need be no UTF-8, and labels nothing that a terminal knows: no end of a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
