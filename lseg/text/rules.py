"""Rules for `other` by name, as the command line has them."""

from collections.abc import Callable

from lseg.data.base.labels import parse_labels
from lseg.errors import ConfigError
from lseg.text.other import OTHER_ALWAYS, OtherRule, Rest, Threshold, Vocabulary, Word, Words

FORMS = "auto, word, words[=LIST], vocabulary[=LIST], threshold[=T] or rest[=T]"
"""LIST: words between commas, or a text file with one a line. T: a probability."""


def named_rule(text: str) -> OtherRule:
    """The rule that a text names; see `FORMS`.

    Raises:
        ConfigError: If it names none, or a threshold is no probability.
        LabelError: If a list holds no word, or cannot be read.
    """
    name, equals, value = text.strip().partition("=")
    rules = VALUED if equals else PLAIN
    if name not in rules:
        raise ConfigError(f"{text!r} is no rule for other: give {FORMS}")
    return rules[name](value)


def _threshold(value: str) -> Threshold:
    try:
        return Threshold(float(value))
    except ValueError as error:
        raise ConfigError(f"threshold={value}: give a probability between 0 and 1") from error


PLAIN: dict[str, Callable[[str], OtherRule]] = {
    "auto": lambda _: OTHER_ALWAYS,
    "word": lambda _: Word(),
    "words": lambda _: Words(),
    "vocabulary": lambda _: Vocabulary(),
    "threshold": lambda _: Threshold(),
    "rest": lambda _: Rest(),
}
VALUED: dict[str, Callable[[str], OtherRule]] = {
    "words": lambda value: Words(tuple(parse_labels(value))),
    "vocabulary": lambda value: Vocabulary(tuple(parse_labels(value))),
    "threshold": _threshold,
    "rest": lambda value: Rest(threshold=_threshold(value)),
}
