"""What somebody may have meant who has mistyped a name."""

import difflib
from collections.abc import Iterable


def nearest(given: str, known: Iterable[str]) -> str:
    """`: did you mean ...?`, if a known name is spelt nearly as the given one; empty if none is."""
    close = difflib.get_close_matches(given, list(known), n=1)
    return f": did you mean {close[0]}?" if close else ""
