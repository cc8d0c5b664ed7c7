"""The words that a text side knows, and which of them mean something else than given labels."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from torch import Tensor

from lseg.data.base.labels import parse_labels
from lseg.data.sets.label_table import read_labels
from lseg.data.sets.shapes import CLASSES
from lseg.paths import ASSETS
from lseg.text.encoder import SYNONYM_SEPARATOR, LabelEncoder
from lseg.text.table import LabelTable
from lseg.visualize.colours import BACKGROUND_NAMES

SHAPE_WORDS = (*CLASSES, "background")
VOCABULARIES = {"tiny": SHAPE_WORDS}
"""Words of text encoders that do not know the common ones, by `TextConfig.model`."""


def vocabulary(encoder: LabelEncoder) -> list[str]:
    """What a text side knows: a table's names, the shapes, or common nouns."""
    if isinstance(encoder.source, LabelTable):
        return list(encoder.source.names)
    words = VOCABULARIES.get(encoder.config.model)
    return list(words) if words else parse_labels(ASSETS / "labels" / "common.txt")


def far_words(
    words: Sequence[str], vectors: Tensor, labels: Iterable[str], asked: Tensor, near: float
) -> Tensor:
    """Which words of a vocabulary are about something else than all of some labels.

    A word is near if the cosine of the vectors says so, if its words are among those of a label
    or the other way round (`wall` and `brick wall`), or if a label file of `lseg/assets/labels` has
    both as words for one class (`person` and `man`). `other` and the like are about everything.

    Args:
        words: The vocabulary.
        vectors: (W, C) unit vectors of it.
        labels: What is asked for; `|` separates synonyms.
        asked: (P, C) unit vectors of it.
        near: Cosine from which a word is near.

    Returns:
        (W,) bool.
    """
    far = (vectors @ asked.T).amax(1) < near
    names = [name for label in labels for name in label.split(SYNONYM_SEPARATOR)]
    akin = {word for name in names for word in _synonyms().get(name.lower(), ())}
    parts = [_parts(name) for name in names]
    for index, word in enumerate(words):
        own = _parts(word)
        if (
            word.lower() in akin | BACKGROUND_NAMES
            or any(own <= part or part <= own for part in parts)
        ):  # fmt: skip
            far[index] = False
    return far


def synonyms_of(word: str) -> list[str]:
    """Other words for it in the label files of the data sets."""
    return sorted(_synonyms().get(word.lower(), frozenset()) - {word.lower()})


def _parts(name: str) -> frozenset[str]:
    """The words of a name, without the endings of plurals."""
    return frozenset(re.sub(r"(?<=\w\w)s$", "", part) for part in re.findall(r"\w+", name.lower()))


@cache
def _synonyms() -> dict[str, frozenset[str]]:
    """Words for the same class in the label files of the data sets, word by word."""
    found: dict[str, frozenset[str]] = {}
    for path in sorted((ASSETS / "labels").glob("*.csv")):
        for prompt in read_labels(path.stem).prompts:
            words = frozenset(prompt.lower().split(SYNONYM_SEPARATOR))
            if not words & BACKGROUND_NAMES:
                for word in words:
                    found[word] = found.get(word, frozenset()) | words
    return found
