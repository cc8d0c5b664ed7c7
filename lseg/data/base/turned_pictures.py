"""Pictures whose EXIF orientation their mask's size does not explain: which, and what is said."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence

from pytorch_lightning.utilities import rank_zero_only

from lseg.data.base.folder import AnnotatedFolder
from lseg.errors import LSegError, LSegWarning

SAMPLE = 200
"""Headers that are looked at before a run; `lseg data check` looks at all."""


def ambiguous_pictures(folder: AnnotatedFolder, stems: Iterable[str]) -> Iterator[str]:
    """Yield the pictures over which a mask could lie in two ways; only headers are read.

    What is missing or unreadable is left out: reading it says so.
    """
    for stem in stems:
        try:
            placement = folder.placement(stem)
        except (OSError, LSegError):
            continue
        if placement is not None and placement.ambiguous:
            yield stem


def ambiguity(folder: AnnotatedFolder, stem: str, count: int | None = None) -> str:
    """Say how ambiguous pictures are read, and what to do if that is wrong.

    Args:
        folder: Where they lie.
        stem: One of them.
        count: How many there are, where that is known.
    """
    other, taken = ("stored", "displayed") if folder.upright else ("displayed", "stored")
    what = "some pictures have" if count is None else f"{count} picture(s) have"
    return (
        f"{what} an EXIF orientation that does not show in their mask's size, such as {stem}: "
        f"masks are taken to lie over the picture as {taken}. If they lie over it as {other}, set "
        f"orientation to {other}"
    )


@rank_zero_only
def warn_of_ambiguity(folder: AnnotatedFolder, stems: Sequence[str] | None = None) -> None:
    """Warn if one of some pictures of a set, evenly over it, is ambiguous.

    Of several processes of a training the first does.

    Args:
        folder: The set.
        stems: Its pictures, if not all.

    Warns:
        LSegWarning: See `ambiguity`.
    """
    stems = folder.stems if stems is None else stems
    step = -(-len(stems) // SAMPLE) or 1
    for stem in ambiguous_pictures(folder, stems[::step]):
        warnings.warn(ambiguity(folder, stem), LSegWarning, stacklevel=2)
        return
