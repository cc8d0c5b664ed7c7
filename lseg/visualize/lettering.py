"""Labels as lines of text: in a font that has their characters, no two of them alike."""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

from PIL import features
from PIL.ImageFont import FreeTypeFont

from lseg.visualize.fonts import Font, built_in, of_the_system

LONGEST = 200
"""Characters of a line; of longer ones the middle is left out."""

DIRECTIONS = {"L": "L", "R": "R", "AL": "R"}
NUMBERS = {"EN": "L", "AN": "L"}
MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


class Line(NamedTuple):
    """A text as it is drawn, and its width in pixels."""

    text: str
    font: FreeTypeFont
    width: int


def set_lines(texts: Sequence[str], size: int) -> list[Line]:
    """Lines of the given height in pixels, one a text.

    All are in one font, if one has all of their characters. Characters that no font of this
    machine has are drawn as their numbers, [U+4E2D U+6587]; lines that would still look alike get
    a number.
    """
    shown = [_shortened(unicodedata.normalize("NFC", " ".join(text.split()))) for text in texts]
    common = max(built_in(size), key=lambda font: sum(_covers(font, text) for text in shown))
    fonts = [_font_for(text, common, size) for text in shown]
    spelt = [_spelt(text, font) for text, font in zip(shown, fonts, strict=True)]
    counts = Counter(spelt)
    shaped = features.check("raqm")  # it puts right-to-left text in order, and joins letters
    return [
        _line(f"{text} #{number}" if counts[text] > 1 else text, font, bool(shaped))
        for number, (text, font) in enumerate(zip(spelt, fonts, strict=True))
    ]


def _line(text: str, font: Font, shaped: bool) -> Line:
    if not shaped:
        text = visual_order(text)
    width = max(font.font.getlength(text), font.font.getbbox(text)[2])
    return Line(text, font.font, math.ceil(width))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def _covers(font: Font, text: str) -> bool:
    return all(map(font.has, _drawn_characters(text)))


def _drawn_characters(text: str) -> Iterable[str]:
    """The different characters of a text that leave a mark by themselves."""
    return (c for c in dict.fromkeys(text) if unicodedata.category(c) != "Cf")


def _font_for(text: str, common: Font, size: int) -> Font:
    """The font that has most of a text's characters; the common one among equals."""
    tried = [common, *built_in(size)]
    for font in tried:
        if _covers(font, text):
            return font
    lacking = "".join(c for c in _drawn_characters(text) if not common.has(c))
    for font in of_the_system(lacking, size):
        if _covers(font, text):
            return font
        tried.append(font)
    return max(tried, key=lambda font: sum(map(font.has, text)))


def _spelt(text: str, font: Font) -> str:
    """The text with the numbers of those characters that the font lacks."""
    characters = [c for c in text if font.has(c) or unicodedata.category(c) != "Cf"]
    runs = [(there, list(run)) for there, run in groupby(characters, font.has)]
    return "".join("".join(run) if there else _numbers(run) for there, run in runs)


def _numbers(characters: Sequence[str]) -> str:
    return f"[{' '.join(f'U+{ord(character):04X}' for character in characters)}]"


def visual_order(text: str) -> str:
    """A line with right-to-left runs turned, for what draws from left to right.

    The two levels of the Unicode bidirectional algorithm that names need: runs of one direction,
    in the order that the first letter says. Numbers and Latin words keep theirs.
    """
    clusters: list[str] = []
    for character in text:
        if clusters and unicodedata.combining(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    line = _line_direction(text)
    directions = _directions(clusters, line)
    runs = []
    for direction, run in groupby(zip(directions, clusters, strict=True), lambda pair: pair[0]):
        letters = [cluster for _, cluster in run]
        if direction == "R":
            letters = [cluster.translate(MIRRORED) for cluster in reversed(letters)]
        runs.append("".join(letters))
    return "".join(reversed(runs) if line == "R" else runs)


def _line_direction(text: str) -> str:
    """That of the first letter: L or R."""
    return next((DIRECTIONS[kind] for kind in map(_kind, text) if kind in DIRECTIONS), "L")


def _directions(clusters: Sequence[str], line: str) -> list[str]:
    """L or R for each cluster; signs and spaces between two of one direction have that of both.

    Elsewhere they have that of the line. Numbers are read from the left.
    """
    own = [(DIRECTIONS | NUMBERS).get(_kind(cluster[0])) for cluster in clusters]
    before = list(accumulate(own, lambda last, one: one or last, initial=line))[1:]
    after = list(accumulate(reversed(own), lambda last, one: one or last, initial=line))[:0:-1]
    return [
        one or (left if left == right else line) or line
        for one, left, right in zip(own, before, after, strict=True)
    ]


def _kind(character: str) -> str:
    return unicodedata.bidirectional(character)
