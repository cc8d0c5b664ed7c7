"""Declarative key maps: every key of a foreign checkpoint is renamed or dropped for a reason."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lseg.errors import CheckpointError


class Rule(NamedTuple):
    """What becomes of the keys that a regular expression matches as a whole.

    Attributes:
        pattern: Regular expression; its groups are for `target`.
        target: The new key, as for `re.sub`; None drops the key.
        reason: Why it is dropped.
    """

    pattern: str
    target: str | None
    reason: str = ""

    def original(self, name: str) -> str | None:
        """The key that this rule would turn into `name`; None where there is none.

        Groups of the pattern must be plain: not nested, and each of them in the target.
        """
        if self.target is None:
            return None
        groups = re.findall(r"\([^()?][^()]*\)", self.pattern)
        pieces = re.split(r"\\(\d)", self.target)  # literal text and numbers of groups, in turns
        numbers = [int(number) - 1 for number in pieces[1::2]]
        pieces[::2] = map(re.escape, pieces[::2])
        pieces[1::2] = [groups[number] for number in numbers]
        match = re.fullmatch("".join(pieces), name)
        if match is None:
            return None
        values = dict(zip(numbers, match.groups(), strict=True))
        key = re.sub(r"\(\?:(.*?)\)\?", r"\1", self.pattern)  # with its optional parts
        for number, group in enumerate(groups):
            key = key.replace(group, values[number], 1)
        return key.replace("\\.", ".")


@dataclass(frozen=True)
class Source:
    """Where foreign weights come from, for errors.

    Attributes:
        name: The file or folder.
        prefix: What was taken off all of its keys.
    """

    name: str
    prefix: str = ""

    def __str__(self) -> str:
        return self.name

    def key(self, name: str) -> str:
        """A key as the file has it, in quotes."""
        return repr(self.prefix + name)


class Renaming(NamedTuple):
    """The outcome of a key map: old key to new key, and old key to the reason for dropping it."""

    kept: dict[str, str]
    dropped: dict[str, str]


def rename_keys(keys: Iterable[str], rules: Sequence[Rule], source: Source) -> Renaming:
    """Applies the first rule that matches each key.

    Raises:
        CheckpointError: Naming the first key that no rule matches.
    """
    compiled = [(re.compile(rule.pattern), rule) for rule in rules]
    renaming = Renaming({}, {})
    for key in keys:
        for pattern, rule in compiled:
            match = pattern.fullmatch(key)
            if match is None:
                continue
            if rule.target is None:
                renaming.dropped[key] = rule.reason
            else:
                renaming.kept[key] = match.expand(rule.target)
            break
        else:
            raise CheckpointError(f"{source} has an unknown weight: {source.key(key)}")
    return renaming
