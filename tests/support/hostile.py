"""What somebody might give, and what must come of it: a value, or an error in a line or two."""

import copy
import math
import resource
import signal
from contextlib import contextmanager

from lseg.errors import LSegError

LONGEST = 1500
"""Characters of a message, which may list options or show a layout of files."""

VALUES = (
    None, True, False, 0, 1, -1, 7, 2.5, 10**9, 10**400, -(10**400), math.nan, math.inf, -math.inf,
    "", " ", "x", "1", "nan", "../../etc/passwd", "a\0b", "\ud800",
    "é\u202e\n\x1b[2J", "{}",
    "x" * 5000, [], [[]], {}, {"": {}}, [None], [1, 2], ["a", 1],
    {"a": [math.nan]}, [10**400] * 3, ["x"] * 300,
)  # fmt: skip
"""Anything that JSON or YAML can hold in the place of what is expected."""


class TookTooLongError(BaseException):
    """No `Exception`, which code that is tested may catch."""


@contextmanager
def bounded(seconds=60, gigabytes=2):
    """The block ends in time, and takes no more memory than this on top of what was in use."""

    def stop(*_):
        raise TookTooLongError(f"after {seconds} s")

    before = _peak()
    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    assert _peak() - before < gigabytes * 2**20


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux


def outcome(call):
    """What a call returns; an error of this project instead, if that is what comes of it.

    The error has one line, and a second one only where that shows a layout of files. Whatever else
    is raised ends the test.
    """
    with bounded():
        try:
            return call()
        except LSegError as error:
            check_message(str(error))
            return error


def refusal(call):
    """The message of the error that a call must end with."""
    found = outcome(call)
    assert isinstance(found, LSegError), f"not refused: {found!r:.200}"
    return str(found)


def check_message(text):
    """A message is a line of words; what follows may show how files are to lie."""
    first = text.partition("\nExpected:")[0]
    assert first.strip(), "an error without words"
    assert "\n" not in first, text[:500]
    assert len(first) < LONGEST, (len(first), first[:300])
    assert "Traceback" not in text
    assert not [character for character in first if ord(character) < 32], repr(first[:300])


def places(value, above=()):
    """Where there is something in nested dicts and lists: the keys that lead to it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield (*above, key)
        if isinstance(value[key], dict | list):
            yield from places(value[key], (*above, key))


def replaced(value, place, new):
    """A copy with something else in one place."""
    made = copy.deepcopy(value)
    part = made
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = new
    return made


def without(value, place):
    """A copy that lacks what is in one place."""
    made = copy.deepcopy(value)
    part = made
    for key in place[:-1]:
        part = part[key]
    del part[place[-1]]
    return made


def some_weight(weights):
    """Name of a convolution's weight among those of a network."""
    return next(name for name, tensor in weights.items() if tensor.ndim == 4)
