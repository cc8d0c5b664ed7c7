"""Reading the text files that lists, labels and prompts come in."""

from __future__ import annotations

from pathlib import Path

from lseg.errors import LSegError, shown
from lseg.paths import expanded, refuse_special


def read_text(path: Path, error: type[LSegError], hint: str = "", names_files: bool = False) -> str:
    """Return what a UTF-8 file holds, without a byte-order mark.

    Args:
        path: The file.
        error: What to raise.
        hint: How the message goes on where there is no such file.
        names_files: Whether what is no UTF-8 is taken as it is, for such are names of files.

    Raises:
        LSegError: Of the type `error`, if the file is missing or is no UTF-8 text.
    """
    refuse_special(expanded(path), error)
    errors = "surrogateescape" if names_files else "strict"
    try:
        return expanded(path).read_text("utf-8-sig", errors)
    except FileNotFoundError as reason:
        raise error(f"there is no file {path}{hint}") from reason
    except (OSError, ValueError) as reason:  # the latter for what is no UTF-8, and no path
        why = reason.strerror if isinstance(reason, OSError) else reason
        raise error(f"{shown(str(path))} cannot be read as UTF-8 text: {why}") from reason


def read_lines(path: Path, error: type[LSegError], hint: str = "") -> list[str]:
    """Return the lines of a file, trimmed, without empty ones; the arguments are `read_text`'s.

    Raises:
        LSegError: As `read_text`, or if there is no line.
    """
    lines = [line.strip() for line in read_text(path, error, hint).splitlines()]
    if not any(lines):
        raise error(f"{path} is empty{hint}")
    return [line for line in lines if line]
