"""The text files of a pairs folder: names of the classes, and images with their masks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from lseg.data.base.labels import parse_labels
from lseg.data.base.text_files import read_text
from lseg.errors import DataError, shown
from lseg.paths import is_file

LAYOUT = """
  <root>/classes.txt   one class a line; line i (from 0) names mask value i
  <root>/<split>.txt   a line an image: `path/of/image.jpg path/of/mask.png`, relative to <root>
  <root>/dataset.yaml  if masks are not plain: ignore_index, reduce_zero_label, colors, orientation
  masks                single-channel PNG or TIFF of class indices, or colours"""


class Pair(NamedTuple):
    """An image file, its mask file, and the line of the list that names them (from 1)."""

    image: Path
    mask: Path
    line: int


def read_classes(path: Path) -> list[str]:
    """Return the class names; a line that is no name would shift the numbers of all that follow.

    Raises:
        DataError: If there is such a line, or no name.
        LabelError: If names repeat.
    """
    lines = _read_list(path).rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.strip().startswith("#"):
            raise DataError(
                f"line {number} of {path} names no class. Line i (from 0) names mask value i, so "
                "comments and empty lines have no place there"
            )
    if not lines:
        raise DataError(f"{path} names no class.\nExpected: {LAYOUT}")
    return parse_labels(lines)


def read_split(root: Path, path: Path) -> list[Pair]:
    """Return the pairs of a split's list; empty lines are skipped.

    Raises:
        DataError: If a line names no pair, or there is none.
    """
    pairs = []
    for number, line in enumerate(_read_list(path, names_files=True).splitlines(), start=1):
        if line.strip():
            image, mask = _split_line(root, line.strip(), f"line {number} of {path}")
            pairs.append(Pair(root / image, root / mask, number))
    if not pairs:
        raise DataError(f"{path} lists no image.\nExpected: {LAYOUT}")
    return pairs


def _split_line(root: Path, line: str, where: str) -> tuple[str, str]:
    """Return the image and the mask that a line names: two words, or two names around a tab.

    Where names hold spaces and there is no tab, the files that exist decide.
    """
    if line.count("\t") == 1:
        image, mask = line.split("\t")
        return image.strip(), mask.strip()
    words = line.split()
    if len(words) == 2:
        return words[0], words[1]
    for gap in re.finditer(r"\s+", line):
        image, mask = line[: gap.start()], line[gap.end() :]
        if is_file(root / image) and is_file(root / mask):
            return image, mask
    raise DataError(
        f"{where} is {shown(line)}, which names no image and mask that exist. Separate the two "
        f"with a tab if names hold spaces.\nExpected: {LAYOUT}"
    )


def _read_list(path: Path, names_files: bool = False) -> str:
    """Return the text of one of the lists; the message of a missing one names those there are."""
    there = ", ".join(sorted(p.name for p in path.parent.glob("*.txt"))) or "none"
    hint = f"; text files in that folder: {there}.\nExpected: {LAYOUT}"
    return read_text(path, DataError, hint, names_files)
