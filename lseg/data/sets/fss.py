"""FSS-1000: a folder a class, ten pictures in each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from lseg.data.base.folder import BACKGROUND, AnnotatedFolder, published_root
from lseg.data.base.images import load_grey
from lseg.errors import DataError

_THRESHOLD = 128


class FssFolder(AnnotatedFolder):
    """`FSS-1000/<class>/<n>.jpg` and `<n>.png`. A stem is `<class>/<n>`.

    Its classes are in sorted order.
    """

    name = "fss1000"
    layout = "<root>/FSS-1000/<class>/<n>.jpg and <n>.png, n from 1 to 10"

    def __init__(self, root: Path, classes: Sequence[str] | None = None) -> None:
        """Name the pictures.

        Args:
            root: The folder FSS-1000 or the one around it.
            classes: Names of the class folders to read; all that hold pictures by default.

        Raises:
            DataError: If there is no such folder, no class, or a class without a folder.
        """
        self.root = published_root(root, "FSS-1000")
        if not self.root.is_dir():
            raise DataError(f"there is no folder {self.root}. Expected: {self.layout}")
        if classes is None:
            classes = [path.name for path in self.root.iterdir() if next(path.glob("*.jpg"), None)]
        missing = [name for name in classes if not (self.root / name).is_dir()]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(classes)} listed classes have no folder in {self.root}, "
                f"such as {missing[0]!r}. Expected: {self.layout}"
            )
        if not classes:
            raise DataError(f"no class folder in {self.root}. Expected: {self.layout}")
        self.classes = tuple(sorted(classes))
        self._indices = {name: index for index, name in enumerate(self.classes)}

    def image_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.root / f"{stem}.jpg"

    def mask_path(self, stem: str) -> Path:
        """See `AnnotatedFolder`."""
        return self.root / f"{stem}.png"

    def decode_mask(self, stem: str) -> np.ndarray:
        """Grey levels from 128 up are the folder's class."""
        inside = load_grey(self.mask_path(stem)) >= _THRESHOLD
        return np.where(inside, self.class_index(stem), BACKGROUND).astype(np.int16)

    def class_index(self, stem: str) -> int:
        """Return the class of a picture's folder."""
        return self._indices[stem.split("/")[0]]

    @cached_property
    def stems(self) -> list[str]:
        """All pictures, class by class, numbers sorted as text: 1, 10, 2, ...

        Raises:
            DataError: If there are none.
        """
        stems = [
            f"{name}/{path.stem}"
            for name in self.classes
            for path in sorted((self.root / name).glob("*.jpg"))
        ]
        if not stems:
            raise DataError(f"no picture in {self.root}. Expected: {self.layout}")
        return stems
