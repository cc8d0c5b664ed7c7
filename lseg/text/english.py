"""Spellings of English names: upper case, articles, hyphens, plurals, British words, synonyms.

All that is particular about words stands in `assets/labels/english.yaml`; here are the rules.
"""

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self, TypeVar

import yaml  # type: ignore[import-untyped]

from lseg.paths import ASSETS

ValueT = TypeVar("ValueT")

FILE = ASSETS / "labels" / "english.yaml"

ARTICLES = ("a", "an", "the")

_BLANKS = str.maketrans({**dict.fromkeys("-_/\u2010\u2011\u2012\u2013", " "), "\u2019": "'"})


def plain(name: str) -> str:
    """A name in lower case, its words apart by blanks, without an article or a full stop."""
    text = unicodedata.normalize("NFKC", name).casefold().translate(_BLANKS)
    words = text.strip(" .,;:!?\"'").split()
    while len(words) > 1 and words[0] in ARTICLES:
        del words[0]
    return " ".join(words)


@dataclass(frozen=True)
class English:
    """What a file says of words; all in the form of `plain`.

    Attributes:
        synonyms: Groups of words of one meaning.
        spelling: Groups of spellings of one word.
        plurals: Irregular plurals by their singular.
        no_plurals: Words in -s that are no plurals.
        kinds: Narrower words by the wider one.
    """

    synonyms: tuple[tuple[str, ...], ...]
    spelling: tuple[tuple[str, ...], ...]
    plurals: Mapping[str, str]
    no_plurals: frozenset[str]
    kinds: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """Reads the file."""
        told = yaml.safe_load(file.read_text("utf-8"))
        return cls(
            tuple(map(tuple, told["synonyms"])),
            tuple(map(tuple, told["spelling"])),
            told["plurals"],
            frozenset(told["no_plurals"]),
            {wider: tuple(words) for wider, words in told["kinds"].items()},
        )

    def forms(self, name: str) -> list[str]:
        """A plain name, then in the other number, then both as the other side of the sea has it.

        Among them are words that do not exist: they are to be looked for in a table, where they do
        no harm.
        """
        *first, last = name.split() or [""]
        numbers = dict.fromkeys([last, *self._singulars(last), *self._plurals(last)])
        names = [" ".join([*first, word]) for word in numbers if word]
        spelt = itertools.chain.from_iterable(map(self._spellings, names))
        return list(dict.fromkeys([*names, *spelt]))

    def synonyms_of(self, name: str) -> list[str]:
        """The words of one meaning with a plain name, in the order of the file."""
        groups = (group for form in self.forms(name) for group in self._groups.get(form, ()))
        return list(dict.fromkeys(itertools.chain.from_iterable(groups)))

    def wider(self, name: str) -> list[str]:
        """What a plain name, or its last word, is a kind of."""
        tails = dict.fromkeys([name, *name.split()[-1:]])
        forms = dict.fromkeys(form for tail in tails for form in self.forms(tail))
        return [wide for form in forms for wide in self._wider.get(form, ())]

    @cached_property
    def words(self) -> frozenset[str]:
        """All words that have synonyms, or are a kind of something."""
        return frozenset([*self._groups, *self._wider])

    @cached_property
    def _groups(self) -> Mapping[str, Sequence[Sequence[str]]]:
        return _by_member((word, group) for group in self.synonyms for word in group)

    @cached_property
    def _wider(self) -> Mapping[str, Sequence[str]]:
        return _by_member((word, wide) for wide, words in self.kinds.items() for word in words)

    @cached_property
    def _respelt(self) -> Mapping[str, Sequence[Sequence[str]]]:
        return _by_member((word, group) for group in self.spelling for word in group)

    @cached_property
    def _irregular(self) -> Mapping[str, Sequence[str]]:
        return _by_member((plural, singular) for singular, plural in self.plurals.items())

    def _singulars(self, word: str) -> Iterator[str]:
        if word in self.no_plurals:
            return
        yield from self._irregular.get(word, ())
        if word.endswith("ies"):
            yield f"{word[:-3]}y"
        if word.endswith("ves"):
            yield from (f"{word[:-3]}f", f"{word[:-3]}fe")
        if word.endswith("s") and len(word) > 2:
            yield word[:-1]
        if word.endswith("es"):
            yield word[:-2]

    def _plurals(self, word: str) -> Iterator[str]:
        if word in self.plurals:
            yield self.plurals[word]
        stem = word.removesuffix("e")
        regular = [f"{word}s", f"{word}es"]
        if word.endswith("y"):
            regular.append(f"{word[:-1]}ies")
        if stem.endswith("f"):
            regular.append(f"{stem[:-1]}ves")
        yield from (plural for plural in regular if plural not in self.no_plurals)

    def _spellings(self, name: str) -> Iterator[str]:
        choices = [
            dict.fromkeys([word, *itertools.chain.from_iterable(self._respelt.get(word, ()))])
            for word in name.split()
        ]
        return map(" ".join, itertools.product(*choices))


def _by_member(pairs: Iterable[tuple[str, ValueT]]) -> Mapping[str, Sequence[ValueT]]:
    found: defaultdict[str, list[ValueT]] = defaultdict(list)
    for member, value in pairs:
        found[member].append(value)
    return dict(found)
