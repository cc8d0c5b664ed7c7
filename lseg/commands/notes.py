"""What a command says of the user's files while it goes on."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
