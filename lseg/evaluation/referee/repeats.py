"""Pictures and label maps that occur more than once."""

import zlib
from collections import defaultdict
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from lseg.errors import DataError
from lseg.evaluation.report import listed

# A map that compresses to little more than a plain one (two halves, say) may repeat by chance.
_PLAIN = 30


def digest(*arrays: np.ndarray) -> bytes:
    """What tells arrays apart, by shapes and values."""
    found = blake2b(digest_size=16)
    for array in arrays:
        found.update(repr((array.shape, array.dtype.str)).encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.digest()


class _Seen(NamedTuple):
    name: str
    image: bytes
    truth: bytes


class Repeats:
    """Notes which pictures, files and maps occur twice."""

    def __init__(self) -> None:
        self._pictures: dict[str, bytes] = {}
        self._by_picture: dict[bytes, list[str]] = defaultdict(list)
        self._by_map: dict[bytes, list[_Seen]] = defaultdict(list)
        self._listed: list[str] = []
        self._files: list[str] = []

    def is_repeated(self, name: str, image: np.ndarray, truth: np.ndarray) -> bool:
        """Notes a picture; tells whether it has been there under this name.

        Raises:
            DataError: If another picture has been there under this name.
        """
        found = digest(image, truth)
        if name in self._pictures:
            if self._pictures[name] != found:
                raise DataError(
                    f"two different pictures of the data set are called {name}: their label maps "
                    "cannot be told apart. Give the pictures different file names"
                )
            self._listed.append(name)
            return True
        self._pictures[name] = found
        if image.min() < image.max() and truth.min() < truth.max():
            self._by_picture[found].append(name)
        return False

    def add_files(self, name: str, sources: list[str]) -> None:
        """Notes the files that are the map of a picture."""
        if len(sources) > 1:
            self._files.append(f"{name} ({', '.join(sources)})")

    def add_map(self, name: str, values: np.ndarray, image: np.ndarray, truth: np.ndarray) -> None:
        """Notes a picture's label map."""
        small = values.astype(np.uint16)
        taken, plain = (len(zlib.compress(one.tobytes())) for one in (small, np.zeros_like(small)))
        if taken > plain + _PLAIN:
            self._by_map[digest(small)].append(_Seen(name, digest(image), digest(truth)))

    def warnings(self) -> list[str]:
        """A sentence for each kind of repetition."""
        found = []
        if self._listed:
            found.append(
                f"twice: {len(self._listed)} line(s) of the data set's list repeat a picture, "
                f"which is counted once: {listed(self._listed)}"
            )
        if self._files:
            found.append(
                f"twice: {len(self._files)} picture(s) have several maps, of which the first is "
                f"taken: {listed(self._files)}"
            )
        same = [" = ".join(names) for names in self._by_picture.values() if len(names) > 1]
        if same:
            found.append(
                f"twice: pictures with the same pixels and truth are in the data set under "
                f"several names, and all are counted: {listed(same)}"
            )
        copies = [
            " = ".join(one.name for one in maps)
            for maps in self._by_map.values()
            if len({one.image for one in maps}) > 1 and len({one.truth for one in maps}) > 1
        ]
        if copies:
            found.append(
                "twice: the same map lies under the names of several pictures that differ: "
                f"{listed(copies)}"
            )
        return found
