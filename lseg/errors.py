"""What can be wrong with what a user gives us.

Every class derives from `ValueError`. A message says what was given, what is accepted, and what to
do next; the command line prints it without a traceback and exits with 2.
"""

import reprlib
import unicodedata

_SHORT = reprlib.Repr()
_SHORT.maxstring = 72
_SHORT.maxother = 72
_SHORT.maxlong = 72

_UNPRINTED = ("Cc", "Zl", "Zp")  # controls, and what ends a line or a paragraph


def shown(value: object) -> str:
    """A value for a message, a text between quotes; the middle is left out where it is long."""
    return _SHORT.repr(value)


def escaped(text: str) -> str:
    r"""A text in one line that no terminal obeys: control characters as escapes, such as `\x1b`.

    Names of files may hold any of them.
    """
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _UNPRINTED
        else character
        for character in text
    )


def escaped_lines(text: str) -> str:
    """As `escaped`, of a text whose lines are meant."""
    return "\n".join(map(escaped, text.split("\n")))


class LSegError(ValueError):
    """Base of all errors that a user can mend by giving something else."""


class ConfigError(LSegError):
    """A configuration that cannot be built: an unknown name, or values that do not fit together."""


class LabelError(LSegError):
    """Labels that cannot be used: none at all, twice the same, or unknown to a table."""


class ImageError(LSegError):
    """A picture that cannot be read or has the wrong type or shape."""


class DataError(LSegError):
    """A data set whose files are missing, corrupt or do not fit together."""


class CorruptDataError(DataError):
    """A file of a data set that is there, and damaged or at odds with itself."""


class OutputError(LSegError):
    """A file of results that cannot be written, as on a full disk."""


class InUseError(LSegError):
    """A place for results that another run is writing to."""


class IncompleteRunError(LSegError):
    """Some files of a run failed, each for a reason that was told; the command exits with 3."""


class CheckpointError(LSegError):
    """A model file or folder that is missing, of another kind, or does not fit the network."""


class TrainingError(LSegError):
    """A training that cannot go on: its loss or its weights are no longer finite."""


class LSegWarning(UserWarning):
    """What was done with a user's files and may not be meant; the command line says it once."""
