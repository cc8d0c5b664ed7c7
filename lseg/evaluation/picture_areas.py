"""Areas of every picture by itself: what pooled figures, their intervals and comparisons need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lseg.errors import DataError
from lseg.evaluation.metrics import ClassAreas, confusion_matrix

_MOST = 2**40  # pixels of a picture, whose sums stay exact


@dataclass(frozen=True)
class PictureAreas:
    """Areas of the classes that occur in each picture, in truth or prediction.

    Memory is 40 bytes for each class of each picture that occurs there, whatever N is.

    Attributes:
        names: Of the P pictures, each once.
        classes: N.
        picture: (K,) index into `names`, ascending.
        index: (K,) class.
        areas: (K, 3) int64 pixels: in both, in the truth, in the prediction (see `ClassAreas`).
    """

    names: tuple[str, ...]
    classes: int
    picture: Tensor
    index: Tensor
    areas: Tensor

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.names)

    def pooled(self) -> ClassAreas:
        """Areas (N,) summed over the pictures."""
        total = torch.zeros(self.classes, 3, dtype=torch.long).index_add_(0, self.index, self.areas)
        return ClassAreas(*total.unbind(1))

    def weighted(self, weights: Tensor) -> ClassAreas:
        """Areas (R, N) float64 summed with weights (R, P), which say how often a picture counts.

        Sums of whole numbers are exact.
        """
        return ClassAreas(*(torch.sparse.mm(part, weights.double().T).T for part in self._sparse))

    @cached_property
    def _sparse(self) -> list[Tensor]:
        """The three areas as (N, P) sparse matrices."""
        where = torch.stack([self.index, self.picture])
        shape = (self.classes, len(self))
        parts = self.areas.double().unbind(1)
        made = (
            torch.sparse_coo_tensor(where, part, shape, check_invariants=True) for part in parts
        )
        return [matrix.coalesce() for matrix in made]

    def of_each_picture(self) -> list[ClassAreas]:
        """Areas (M,) of the M classes that occur, picture by picture."""
        counts = torch.bincount(self.picture, minlength=len(self)).tolist()
        return [ClassAreas(*part.unbind(1)) for part in self.areas.split(counts)]

    def truths(self) -> list[dict[int, int]]:
        """Pixels of each class in the truth, picture by picture; without classes of none."""
        found: list[dict[int, int]] = [{} for _ in self.names]
        rows = torch.stack([self.picture, self.index, self.areas[:, 1]], 1)
        for picture, index, pixels in rows[self.areas[:, 1] > 0].tolist():
            found[picture][index] = pixels
        return found

    def reordered(self, names: Sequence[str]) -> PictureAreas:
        """The same pictures in the order of `names`."""
        place = {name: index for index, name in enumerate(names)}
        moved = torch.tensor([place[name] for name in self.names])[self.picture]
        order = moved.argsort(stable=True)
        return PictureAreas(
            tuple(names), self.classes, moved[order], self.index[order], self.areas[order]
        )

    @classmethod
    def of_rows(cls, names: Iterable[str], classes: int, rows: Sequence[Tensor]) -> PictureAreas:
        """The areas of P pictures from rows (k, 4) of each, as `occurring` gives them."""
        picture = torch.arange(len(rows)).repeat_interleave(torch.tensor([*map(len, rows)]).long())
        table = torch.cat([*rows, torch.zeros(0, 4, dtype=torch.long)])
        return cls(tuple(distinct_names(names)), classes, picture, table[:, 0], table[:, 1:])

    def to_json(self) -> dict[str, str]:
        """A line for each picture: `class both truth predicted; ...`, in pixels."""
        rows = torch.cat([self.index[:, None], self.areas], 1)
        counts = torch.bincount(self.picture, minlength=len(self)).tolist()
        lines = ("; ".join(" ".join(map(str, r)) for r in p.tolist()) for p in rows.split(counts))
        return dict(zip(self.names, lines, strict=True))

    @classmethod
    def from_json(cls, lines: Mapping[str, str], classes: int) -> PictureAreas:
        """The areas that `to_json` wrote.

        Raises:
            DataError: If they are something else.
        """
        picture: list[int] = []
        rows: list[list[int]] = []
        try:
            for number, line in enumerate(lines.values()):
                found = [[int(value) for value in part.split()] for part in line.split(";") if part]
                picture += [number] * len(found)
                rows += found
            table = torch.tensor(rows, dtype=torch.long).reshape(len(rows), 4)
        except (AttributeError, RuntimeError, ValueError, TypeError) as error:
            raise DataError(
                "the `areas` of a table must be {picture: 'class both truth predicted; ...'}: "
                f"{' '.join(str(error).split())}"
            ) from error
        if (
            table[:, 1:].numel()
            and not 0 <= int(table[:, 1:].min()) <= int(table[:, 1:].max()) <= _MOST
        ):
            raise DataError("the `areas` of a table must be pixels of a picture, 0 or more")
        if len(table) and not 0 <= int(table[:, 0].min()) <= int(table[:, 0].max()) < classes:
            raise DataError(f"the `areas` of a table name a class that is none of its {classes}")
        return cls(tuple(lines), classes, torch.tensor(picture).long(), table[:, 0], table[:, 1:])


def distinct_names(names: Iterable[str]) -> list[str]:
    """Names of pictures, each once: the second of those called `a` is `a #2`, or the next free."""
    names = list(names)
    called, given = set(names), set[str]()
    numbers: Counter[str] = Counter()
    found = []
    for name in names:
        own = name
        while own in given or (own != name and own in called):
            numbers[name] += 1
            own = f"{name} #{numbers[name] + 1}"
        given.add(own)
        found.append(own)
    return found


def occurring(areas: Tensor) -> Tensor:
    """Areas (..., N, 3) of a picture as a row for each class that occurs: its place, then they."""
    where = areas.sum(-1) > 0
    return torch.cat([where.nonzero(), areas[where]], 1)


class AreaCounter:
    """Counts the areas of pictures, one after the other."""

    def __init__(self, classes: int, ignore_index: int | None) -> None:
        """For N classes; pixels whose truth is `ignore_index` do not count."""
        self.classes = classes
        self.ignore_index = ignore_index
        self._names: list[str] = []
        self._rows: list[Tensor] = []

    def add(self, name: str, prediction: Tensor, truth: Tensor) -> None:
        """Counts a picture's label maps of equal shape."""
        self.add_confusion(
            name, confusion_matrix(prediction, truth, self.classes, self.ignore_index)
        )

    def add_confusion(self, name: str, confusion: Tensor) -> None:
        """Counts a picture's confusion matrix; see `ClassAreas.of_confusion`."""
        self._names.append(name)
        self._rows.append(occurring(torch.stack(ClassAreas.of_confusion(confusion), 1)).cpu())

    def finish(self) -> PictureAreas:
        """The areas of all pictures, by `distinct_names`."""
        return PictureAreas.of_rows(self._names, self.classes, self._rows)
