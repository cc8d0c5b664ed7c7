"""Which pictures of a data set are taken as examples of its classes.

A picture is shown with its whole mask, as support sets are in "Retrieve and Segment" (arXiv
2602.23339): it is an example of every class in it, not only of the one that it was drawn for.
(There, a class that has K pictures by those of others draws none of its own; here it draws K.)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from lseg.data.base.dataset import FolderDataset
from lseg.memory.examples import Example

LEAST = 0.0005
"""Share of a picture's pixels from which on a class counts as being in it."""


class Drawn(NamedTuple):
    """A picture that is taken as an example of a class, by their indices."""

    picture: int
    cls: int


def occurrences(data: FolderDataset) -> Tensor:
    """(pictures, classes) bool: which classes are in which pictures; reads every mask.

    Raises:
        DataError, ImageError: If a mask is missing or damaged.
    """
    found = torch.zeros(len(data), len(data.classes), dtype=torch.bool)
    for index, stem in enumerate(data.stems):
        mask = torch.from_numpy(data.folder.mask(stem).astype("int64"))
        counts = torch.bincount(mask[mask >= 0], minlength=len(data.classes))
        found[index] = counts > LEAST * mask.numel()
    return found


def draw(
    occurs: Tensor, shots: int | None = None, seed: int = 0, classes: Sequence[int] | None = None
) -> list[Drawn]:
    """Up to `shots` pictures of each class, out of those that it occurs in; all, if not given.

    Each class has a random order of its own, of `seed` and nothing else: the pictures that are
    drawn for it do not depend on which others there are, and with more shots they remain.

    Args:
        occurs: As `occurrences` returns.
        shots: Pictures a class, K.
        seed: Of the order.
        classes: Those that get examples; all of them by default.

    Returns:
        Each drawn picture as an example of each of `classes` that occurs in it, sorted.
    """
    classes = range(occurs.shape[1]) if classes is None else classes
    drawn: set[int] = set()
    for cls in classes:
        pictures = occurs[:, cls].nonzero()[:, 0]
        if shots is not None:
            generator = torch.Generator().manual_seed(1_000_003 * seed + cls)
            pictures = pictures[torch.randperm(len(pictures), generator=generator)[:shots]]
        drawn |= set(pictures.tolist())
    return [Drawn(one, cls) for one in sorted(drawn) for cls in sorted(classes) if occurs[one, cls]]


def half_of(classes: int, seed: int) -> list[int]:
    """Half of so many classes, rounded up, as drawn by `seed`."""
    generator = torch.Generator().manual_seed(seed)
    return sorted(torch.randperm(classes, generator=generator)[: (classes + 1) // 2].tolist())


def mislabelled(
    examples: Sequence[Example], share: float, labels: Sequence[str], seed: int
) -> list[Example]:
    """Examples of which a share, drawn by `seed`, is called by another of `labels`, drawn too."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(examples), generator=generator).tolist()
    wrong = set(order[: round(share * len(examples))])
    found = []
    for place, example in enumerate(examples):
        others = [label for label in labels if label != example.label]
        chosen = int(torch.randint(max(1, len(others)), (), generator=generator))
        found.append(
            replace(example, label=others[chosen]) if place in wrong and others else example
        )
    return found
