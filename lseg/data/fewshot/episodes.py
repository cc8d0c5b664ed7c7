"""Episodes: what is asked of which picture, with which supports, by each benchmark's protocol.

HSNet's code and LSeg's evaluation draw as here; a test list and a seed determine every episode, so
that any number of workers or devices sees the same ones. NumPy's legacy generator is needed: its
`choice(n, 1, replace=False)` permutes all n, which no other call replays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from numpy.random import RandomState

from lseg.data.fewshot.sources import Entry, MaskSource
from lseg.errors import ConfigError, DataError


class Episode(NamedTuple):
    """One question: where is this class in the query?

    Attributes:
        query: Picture index in the source.
        class_index: Index into the source's classes.
        supports: Picture indices; never the query.
    """

    query: int
    class_index: int
    supports: tuple[int, ...] = ()


class EpisodeRule(Protocol):
    """A benchmark's rule for episodes."""

    def episodes(
        self, source: MaskSource, classes: Sequence[int], shots: int, count: int | None, seed: int
    ) -> list[Episode]:
        """The first `count` episodes (the benchmark's own number if None).

        Args:
            source: Whose entries are drawn from; those of other classes are left out.
            classes: Class indices of the fold.
            shots: Supports an episode.
            count: How many.
            seed: Of every random choice.

        Raises:
            DataError: If the list has no entry of the fold, or a class too few pictures.
        """
        ...


@dataclass(frozen=True)
class CyclicEpisodes:
    """PASCAL-5i: episode i asks for entry i modulo the list; supports are drawn.

    Attributes:
        count: Number of episodes; the whole list once if None.
    """

    count: int | None = 1000

    def episodes(
        self, source: MaskSource, classes: Sequence[int], shots: int, count: int | None, seed: int
    ) -> list[Episode]:
        """See `EpisodeRule`."""
        entries = _entries(source, classes)
        lists = _by_class(entries, classes)
        random = RandomState(seed)
        found: list[Episode] = []
        for number in range(count or self.count or len(entries)):
            query, index = entries[number % len(entries)]
            supports = _supports(source, random, lists[index], Entry(query, index), shots)
            found.append(Episode(query, index, supports))
        return found


@dataclass(frozen=True)
class UniformEpisodes:
    """COCO-20i: a class of the fold is drawn, then a picture of it, then supports, in one stream.

    Attributes:
        count: Number of episodes.
    """

    count: int = 1000

    def episodes(
        self, source: MaskSource, classes: Sequence[int], shots: int, count: int | None, seed: int
    ) -> list[Episode]:
        """See `EpisodeRule`. Classes without a picture are never drawn."""
        lists = _by_class(_entries(source, classes), classes)
        classes = [index for index in classes if lists[index]]
        random = RandomState(seed)
        found: list[Episode] = []
        for _ in range(count or self.count):
            index = classes[_choice(random, len(classes))]
            query = lists[index][_choice(random, len(lists[index]))]
            supports = _supports(source, random, lists[index], Entry(query, index), shots)
            found.append(Episode(query, index, supports))
        return found


@dataclass(frozen=True)
class SweepEpisodes:
    """FSS-1000: every picture once. At one shot the support is picture 1, then no query itself."""

    def episodes(
        self, source: MaskSource, classes: Sequence[int], shots: int, count: int | None, seed: int
    ) -> list[Episode]:
        """See `EpisodeRule`."""
        entries = _entries(source, classes)
        # Supports are drawn by number, 1 to 10, not in the order of the list (1, 10, 2, ...).
        lists = {
            index: sorted(pictures, key=lambda picture: _number(source.stem(picture)))
            for index, pictures in _by_class(entries, classes).items()
        }
        random = RandomState(seed)
        found: list[Episode] = []
        for query, index in entries:
            if len(found) == count:
                break
            if shots == 1:
                if query != lists[index][0]:
                    found.append(Episode(query, index, (lists[index][0],)))
                continue
            supports = _supports(source, random, lists[index], Entry(query, index), shots)
            found.append(Episode(query, index, supports))
        if not found:
            raise DataError("each class has one picture: a support and a query need two")
        return found


def draw_episodes(
    rule: EpisodeRule,
    source: MaskSource,
    classes: Sequence[int],
    shots: int = 0,
    count: int | None = None,
    seed: int = 0,
) -> list[Episode]:
    """The episodes of a fold; see `EpisodeRule.episodes`.

    Raises:
        ConfigError: If shots or count are out of range.
        DataError: As `EpisodeRule.episodes`.
    """
    if shots < 0:
        raise ConfigError(f"{shots} shots: give 0 (text alone) or more")
    if count is not None and count < 1:
        raise ConfigError(f"{count} episodes: give 1 or more")
    return rule.episodes(source, classes, shots, count, seed)


def _entries(source: MaskSource, classes: Sequence[int]) -> list[Entry]:
    wanted = set(classes)
    entries = [entry for entry in source.entries if entry.class_index in wanted]
    if not entries:
        names = ", ".join(source.classes[index] for index in list(classes)[:5])
        raise DataError(
            f"the test list of {source.name} names no class of this fold ({names}, ...)"
        )
    return entries


def _by_class(entries: Sequence[Entry], classes: Sequence[int]) -> dict[int, list[int]]:
    lists: dict[int, list[int]] = {index: [] for index in classes}
    for picture, index in entries:
        lists[index].append(picture)
    return lists


def _supports(
    source: MaskSource, random: RandomState, pictures: Sequence[int], query: Entry, shots: int
) -> tuple[int, ...]:
    """Pictures of the class, drawn until there are enough that are not the query."""
    if shots and all(picture == query.picture for picture in pictures):
        raise DataError(
            f"{source.classes[query.class_index]} has one picture in the test list "
            f"({source.stem(query.picture)}): a support and a query need two"
        )
    found: list[int] = []
    while len(found) < shots:
        picture = pictures[_choice(random, len(pictures))]
        if picture != query.picture:
            found.append(picture)
    return tuple(found)


def _choice(random: RandomState, count: int) -> int:
    return int(random.choice(count, 1, replace=False)[0])


def _number(stem: str) -> tuple[int, str]:
    """Pictures in the order of their numbers; those without one come last."""
    name = stem.rsplit("/", 1)[-1]
    return (int(name), "") if name.isdecimal() else (2**31, name)
