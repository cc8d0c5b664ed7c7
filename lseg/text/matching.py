"""A name that a table lacks, found in it under another spelling, or suggested."""

import difflib
from collections.abc import Iterable, Iterator, Sequence

from lseg.text.english import English, plain

MISSPELT = 0.7
"""Ratio of `difflib` from which a word may be a misspelt other one."""


class Matcher:
    """Looks names up in a list of names, in whatever spelling; a misspelt one is not found."""

    def __init__(self, names: Sequence[str], english: English) -> None:
        """Takes what `names` are called in a table, and what is known of words."""
        self.names, self.english = names, english
        self._by_plain: dict[str, str] = {}
        for name in names:  # the first of several stays
            self._by_plain.setdefault(plain(name), name)
        self._by_letters: dict[str, str] = {}
        for form, name in self._by_plain.items():
            self._by_letters.setdefault(form.replace(" ", ""), name)

    def find(self, word: str) -> str | None:
        """The name that means the same: another spelling or number of it, or else a synonym."""
        form = plain(word)
        known = self._look_up(form)
        if known is not None:
            return known
        synonyms = map(self._look_up, self.english.synonyms_of(form))
        return next((name for name in synonyms if name is not None), None)

    def nearest(self, word: str, count: int = 5) -> list[str]:
        """What might be asked for in a word's place: what it is a kind of, then what looks like it.

        The latter are words spelt nearly so, and names that share a word with it.
        """
        form = plain(word)
        meant = difflib.get_close_matches(form, self.english.words, n=2, cutoff=MISSPELT)
        wide = [one for word in meant for one in self.english.wider(word)]
        alike = sorted(self.names, key=lambda name: -_likeness(form, plain(name)))
        likely = [name for name in alike if _likeness(form, plain(name)) >= MISSPELT]
        broader = self._known_of(self.english.wider(form))
        return list(dict.fromkeys([*broader, *likely, *self._known_of([*meant, *wide]), *alike]))[
            :count
        ]

    def misspelt(self, word: str) -> str | None:
        """The name that a word may be a misspelling of."""
        close = difflib.get_close_matches(plain(word), self._by_plain, n=1, cutoff=MISSPELT)
        return self._by_plain[close[0]] if close else None

    def _known_of(self, words: Iterable[str]) -> list[str]:
        """The names for plain words and for their synonyms, as far as there are any."""
        same = [one for word in words for one in [word, *self.english.synonyms_of(word)]]
        return [name for name in map(self._look_up, same) if name is not None]

    def _look_up(self, name: str) -> str | None:
        return next(self._spelt(name), None)

    def _spelt(self, name: str) -> Iterator[str]:
        for form in self.english.forms(name):
            if form in self._by_plain:
                yield self._by_plain[form]
            elif (letters := form.replace(" ", "")) in self._by_letters:
                yield self._by_letters[letters]


def _likeness(one: str, other: str) -> float:
    """How alike two plain names are, from 0 to 1.5: by their letters and their common words."""
    words, others = set(one.split()), set(other.split())
    shared = len(words & others) / max(1, len(words | others))
    return difflib.SequenceMatcher(None, one, other).ratio() + shared / 2
