"""Which files are pictures, by the endings of their names, and which of those can be read here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

from PIL import Image, features

_PLUGINS = {".heic": "pillow-heif", ".heif": "pillow-heif", ".jxl": "pillow-jxl-plugin"}
"""Packages that teach Pillow formats which it does not know by itself."""

IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff", ".webp", *_PLUGINS,
})  # fmt: skip
"""Which files of a folder are taken for pictures.

Pillow opens more, but what else goes by those endings is mostly no photograph (`.h5`, `.fits`).
"""

_OPTIONAL = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}
"""Formats that Pillow may have been built without, and what it calls them as features."""


@cache
def readable_suffixes() -> frozenset[str]:
    """Those of `IMAGE_SUFFIXES` that Pillow can read here."""
    register_plugins()
    Image.init()
    lacking = {name for name, feature in _OPTIONAL.items() if not features.check(feature)}
    known = {
        suffix
        for suffix, name in Image.registered_extensions().items()
        if name in Image.OPEN and name not in lacking
    }
    return IMAGE_SUFFIXES & known


@cache
def register_plugins() -> None:
    """Lets Pillow know the formats of the packages that are installed."""
    with suppress(ImportError):
        import_module("pillow_heif").register_heif_opener()
    with suppress(ImportError):
        import_module("pillow_jxl")


def unreadable(paths: Iterable[Path]) -> list[str]:
    """What to say of pictures that Pillow cannot read here, a line for each of their endings."""
    counts = Counter(path.suffix.lower() for path in paths)
    return [
        f"{count} {suffix} {'file' if count == 1 else 'files'} left out: Pillow here cannot read "
        f"{'it' if count == 1 else 'them'}{remedy(suffix)}"
        for suffix, count in sorted(counts.items())
    ]


def remedy(suffix: str) -> str:
    """What to install to read files of an ending, to go on with; "" if they can be read here."""
    suffix = suffix.lower()
    if suffix not in IMAGE_SUFFIXES or suffix in readable_suffixes():
        return ""
    return f" (pip install {_PLUGINS.get(suffix, '--upgrade pillow')})"
