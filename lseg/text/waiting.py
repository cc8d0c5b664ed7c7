"""Nobody waits for a network without being told."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 3.0
"""Seconds after which a wait is spoken of."""


@contextmanager
def told_if_slow(what: str, seconds: float = PATIENCE) -> Iterator[None]:
    """Prints one line on stderr if the block takes longer than some seconds.

    Args:
        what: What is being waited for, as it comes after "waiting for".
        seconds: When to speak.
    """
    timer = threading.Timer(seconds, _tell, [what])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(what: str) -> None:
    print(f"waiting for {what} ...", file=sys.stderr, flush=True)
