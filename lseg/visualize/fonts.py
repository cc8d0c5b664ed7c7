"""Fonts for any script: Pillow's own, the one that is shipped, and those of this machine."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache, lru_cache

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

from lseg.paths import ASSETS

SHIPPED = ASSETS / "fonts" / "DejaVuSans.ttf"

COMMON = (
    "NotoSansCJK-Regular.ttc", "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf",
    "wqy-zenhei.ttc", "Arial Unicode.ttf", "Hiragino Sans GB.ttc", "PingFang.ttc",
    "AppleSDGothicNeo.ttc", "msyh.ttc", "YuGothR.ttc", "malgun.ttf", "Nirmala.ttf", "LeelawUI.ttf",
    "segoeui.ttf", "seguisym.ttf",
)  # fmt: skip
"""Files that Pillow looks for in the font folders of the system: Linux, macOS, Windows."""

NO_CHARACTER = "\U0010ffff"
"""Which no font may have: it is drawn as all that a font lacks."""


class Font:
    """A font of one size that tells which characters it has."""

    def __init__(self, font: FreeTypeFont) -> None:
        self.font = font
        self._lacking = self._drawn(NO_CHARACTER)
        self._known: dict[str, bool] = {}

    def has(self, character: str) -> bool:
        """Whether the font can draw it; spaces need no drawing."""
        if character not in self._known:
            drawn = self._drawn(character)
            self._known[character] = character.isspace() or drawn not in (self._lacking, NOTHING)
        return self._known[character]

    def _drawn(self, character: str) -> tuple[tuple[int, int], bytes]:
        mask = self.font.getmask(character)
        return mask.size, bytes(mask)


NOTHING = ((0, 0), b"")


@lru_cache(maxsize=64)
def built_in(size: int) -> tuple[Font, ...]:
    """The fonts that are there on every machine, in the order in which they are tried."""
    default = ImageFont.load_default(size)
    assert isinstance(default, FreeTypeFont)  # as it is where a size is given
    return Font(default), Font(ImageFont.truetype(SHIPPED, size))


def of_the_system(characters: str, size: int) -> Iterator[Font]:
    """Fonts of this machine that may have these characters."""
    found = _matching(characters)
    if found is not None and (font := _opened(*found, size)) is not None:
        yield font
    for name in COMMON:
        if (font := _opened(name, 0, size)) is not None:
            yield font


@lru_cache(maxsize=256)
def _matching(characters: str) -> tuple[str, int] | None:
    """File and index of fontconfig's best font for characters, where there is fontconfig."""
    command = shutil.which("fc-match")
    if command is None:
        return None
    codes = " ".join(f"{ord(character):x}" for character in characters)
    try:
        answer = subprocess.run(
            [command, "--format=%{index} %{file}", f":charset={codes}:scalable=true"],
            capture_output=True, text=True, timeout=5, check=True,
        ).stdout  # fmt: skip
        index, file = answer.split(" ", 1)
        return file, int(index)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


@cache
def _opened(name: str, index: int, size: int) -> Font | None:
    try:
        return Font(ImageFont.truetype(name, size, index))
    except (OSError, ValueError):
        return None
