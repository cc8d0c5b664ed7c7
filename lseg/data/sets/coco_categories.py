"""Which category id of a COCO file is which class: COCO's own numbering, or that of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from lseg.data.sets.coco_file import CocoFile, identity_of, short
from lseg.data.sets.label_table import read_labels


class Category(NamedTuple):
    """One of COCO's own: its id, its name, and what to ask a text encoder for."""

    id: int
    name: str
    prompt: str
    is_thing: bool


class Categories(NamedTuple):
    """The classes of a set, and the index of each by the text of its id."""

    names: tuple[str, ...]
    indices: Mapping[str, int]

    @classmethod
    def numbered(cls, pairs: Iterable[tuple[object, str]]) -> Categories:
        """The classes of (id, name) in the order given."""
        ids, names = zip(*pairs, strict=True)
        return cls(names, {str(number): index for index, number in enumerate(ids)})

    @classmethod
    def of(cls, file: CocoFile) -> Categories:
        """The classes that a file names: in the order of their ids, or its own if one is no number.

        Raises:
            DataError: If it names none, or two have the same id or the same name.
        """
        found: dict[str, str] = {}
        for position, entry in enumerate(file.entries("categories")):
            number, name = identity_of(entry.get("id")), entry.get("name")
            if number is None or not isinstance(name, str) or not name.strip():
                raise file.error(
                    f"has the id {short(entry.get('id'))} and the name {short(name)} at position "
                    f"{position} of 'categories': each needs a number or a text, and a name"
                )
            if number in found:
                raise file.error(
                    f"has two categories of the id {number}, {found[number]!r} and {name!r}: give "
                    "each its own"
                )
            if name.strip() in found.values():
                raise file.error(
                    f"has two categories of the name {name!r}: rename one, or give the annotations "
                    "of both one id and remove the other"
                )
            found[number] = name.strip()
        if not found:
            raise file.error("has no category: 'categories' must list an id and a name for each")
        if all(_is_number(number) for number in found):
            found = dict(sorted(found.items(), key=lambda pair: int(pair[0])))
        return cls.numbered(found.items())

    def check(self, file: CocoFile, spellings: Iterable[Iterable[str]] = ()) -> None:
        """Refuse a file whose categories are others, numbered alike.

        Args:
            file: Which may lack categories altogether.
            spellings: Other names of the classes that are in use, in their order.

        Raises:
            DataError: If not one of the file's categories has the name that its id has here.
        """
        if not file.has("categories"):
            return
        known = {
            (number, name)
            for names in (self.names, *spellings)
            for number, name in zip(self.indices, names, strict=True)
        }
        named = [
            (identity_of(entry.get("id")) or "?", entry.get("name"))
            for entry in file.entries("categories")
        ]
        if named and not any(pair in known for pair in named if isinstance(pair[1], str)):
            number, name = named[0]
            raise file.error(
                f"has other categories than COCO's {len(self.names)}: {number} is {short(name)}. "
                "Read it as dataset coco, with the file's own categories"
            )


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 20


@cache
def panoptic_categories() -> tuple[Category, ...]:
    """COCO's 133 categories in the order of their ids, from the table among the label files."""
    table = read_labels("coco_panoptic")
    rows = zip(table.numbers(), table.names, table.prompts, table.column("kind"), strict=True)
    return tuple(
        Category(number, name, prompt, kind == "thing") for number, name, prompt, kind in rows
    )


def thing_categories() -> tuple[Category, ...]:
    """The 80 of them that COCO's instances files have."""
    return tuple(category for category in panoptic_categories() if category.is_thing)
