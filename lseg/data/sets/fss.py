"""FSS-1000: a folder a class, ten pictures in each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lseg.data.base.images import load_grey
from lseg.data.base.sources import BACKGROUND, Part
from lseg.data.fewshot.splits import Line, read_lines
from lseg.errors import DataError

_THRESHOLD = 128
_LISTS = {Part.TRAIN: "trn", Part.TEST: "test"}
_OFFSETS = {Part.TRAIN: 0, Part.TEST: 760}  # 520 training and 240 validation classes come before


class FssTree:
    """`FSS-1000/<class>/<n>.jpg` and `<n>.png`; see `Tree`. A stem is `<class>/<n>`.

    Its classes are those of one list, in sorted order.
    """

    name = "fss1000"
    ignore = False
    layout = "<root>/FSS-1000/<class>/<n>.jpg and <n>.png, n from 1 to 10"

    def __init__(self, root: Path, part: Part, splits: Path | None = None) -> None:
        """The classes of `part`.

        Without published lists the sorted class folders are divided as the published ones are: the
        first 52 % train, the next 24 % validate, the last 24 % (at least one) test.

        Args:
            root: The folder FSS-1000 or the one around it.
            part: Which classes.
            splits: Folder with `fss/trn.txt` and `fss/test.txt`.

        Raises:
            DataError: If there is no such folder, or a class of the list has none.
        """
        self.root = root / "FSS-1000" if (root / "FSS-1000").is_dir() else root
        if not self.root.is_dir():
            raise DataError(f"there is no folder {self.root}. Expected: {self.layout}")
        if splits is None:
            self.classes = self._derived(part)
        else:
            path = splits / "fss" / f"{_LISTS[part]}.txt"
            self.classes = tuple(sorted(read_lines(path)))
            missing = [name for name in self.classes if not (self.root / name).is_dir()]
            if missing:
                raise DataError(
                    f"{len(missing)} of {len(self.classes)} classes of {path} have no folder in "
                    f"{self.root}, such as {missing[0]!r}. Expected: {self.layout}"
                )
        self.offset = _OFFSETS[part]
        self._indices = {name: index for index, name in enumerate(self.classes)}

    def image_path(self, stem: str) -> Path:
        """See `Tree`."""
        return self.root / f"{stem}.jpg"

    def mask_path(self, stem: str) -> Path:
        """See `Tree`."""
        return self.root / f"{stem}.png"

    def mask(self, stem: str) -> np.ndarray:
        """Grey levels from 128 up are the folder's class."""
        index = self._indices[stem.split("/")[0]]
        inside = load_grey(self.mask_path(stem)) >= _THRESHOLD
        return np.where(inside, index, BACKGROUND).astype(np.int16)

    def stems(self, part: Part) -> list[str]:
        """All pictures, class by class, numbers sorted as text: 1, 10, 2, ..."""
        return [
            f"{name}/{path.stem}"
            for name in self.classes
            for path in sorted((self.root / name).glob("*.jpg"))
        ]

    def lines(self) -> list[Line]:
        """The list: every picture once, asked for its folder's class.

        Raises:
            DataError: If there is no picture.
        """
        lines = [Line(stem, self._indices[stem.split("/")[0]]) for stem in self.stems(Part.TEST)]
        if not lines:
            raise DataError(f"no picture in {self.root}. Expected: {self.layout}")
        return lines

    def _derived(self, part: Part) -> tuple[str, ...]:
        names = sorted(path.name for path in self.root.iterdir() if next(path.glob("*.jpg"), None))
        if not names:
            raise DataError(f"no class folder in {self.root}. Expected: {self.layout}")
        test = max(1, round(0.24 * len(names)))
        chosen = names[-test:] if part is Part.TEST else names[: round(0.52 * len(names))]
        if not chosen:
            raise DataError(f"{len(names)} classes in {self.root} are too few for training")
        return tuple(chosen)
