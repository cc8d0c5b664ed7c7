"""Which class of a data set a label made elsewhere means."""

from collections.abc import Sequence

from lseg.visualize import BACKGROUND_NAMES

NO_CLASS = -1
"""Value of pixels that are called none of the data set's classes."""


def plain(name: str) -> str:
    """A name without case, spaces, hyphens and underscores; all background names are one."""
    found = "".join(letter for letter in name.lower() if letter.isalnum()) or name
    return "background" if found in BACKGROUND_NAMES else found


class ClassMatcher:
    """Looks labels up among a data set's class names and what it asks for them."""

    def __init__(self, classes: Sequence[str], labels: Sequence[str] = ()) -> None:
        """Takes N class names, and N labels or none. Synonyms (`person|people`) count.

        The first class of a name has it; a class's own name goes before another's synonym.
        """
        self._index: dict[str, int] = {}
        parts = [[name.split("|")[:1] for name in classes], [name.split("|") for name in classes]]
        parts.append([label.split("|") for label in labels])
        for names in parts:
            for index, synonyms in enumerate(names):
                for synonym in synonyms:
                    self._index.setdefault(plain(synonym), index)
        self._count = len(classes)

    @property
    def background(self) -> int:
        """The class of what is nothing else; `NO_CLASS` if there is none."""
        return self._index.get("background", NO_CLASS)

    def find(self, label: str) -> int:
        """The class that a label or one of its synonyms names, else `NO_CLASS`."""
        found = (self._index.get(plain(part), NO_CLASS) for part in label.split("|"))
        return next((index for index in found if index != NO_CLASS), NO_CLASS)

    def find_all(self, labels: Sequence[str]) -> list[int]:
        """The class of each label of a list.

        A label that no class has keeps its own place where no other label has that class: a list in
        the data set's order may call a class `television` that the set calls `tvmonitor`.
        """
        found = [self.find(label) for label in labels]
        taken = set(found)
        for place, index in enumerate(found):
            if index == NO_CLASS and place < self._count and place not in taken:
                found[place] = place
        return found
