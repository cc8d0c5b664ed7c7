"""What training makes of the pixels that show none of a set's classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lseg.data.base.folder import AnnotatedFolder, Background
from lseg.data.base.labels import refuse_repeated
from lseg.errors import ConfigError

BackgroundRule = Literal["ignore", "other", "class", "rest"]
"""`ignore`: they count neither in the loss nor in the figures. `other`: they are asked for as
`other`. `class`: they are a class of the set, by its own label. `rest`: in the loss, any label that
another set of the mixture has and this one has not is right; they do not count in the figures."""

OTHER = "other"
CLASS_NAME = "background"
_NO_LABEL = -1


@dataclass(frozen=True)
class LabelPlaces:
    """The labels that pictures are asked for, and which of them is right for what masks hold.

    Attributes:
        labels: The labels.
        of_classes: Index of the label of each class; -1 where its pixels are ignored.
        of_background: Index of the label of `BACKGROUND` pixels; -1 where they are ignored.
        rest: Whether one index more than there are labels stands for the labels of other sets.
    """

    labels: tuple[str, ...]
    of_classes: tuple[int, ...]
    of_background: int = _NO_LABEL
    rest: bool = False

    def mask(self, mask: np.ndarray, ignore_index: int) -> Tensor:
        """The mask of an `AnnotatedImage` as label indices or `ignore_index`, (H, W) int64."""
        table = np.array([_NO_LABEL, self.of_background, *self.of_classes], np.int64)
        table[table == _NO_LABEL] = ignore_index
        return torch.from_numpy(table[mask + 2])  # IGNORE is -2, BACKGROUND -1

    def counts(self, classes: np.ndarray, background: int) -> np.ndarray:
        """Pixels of each label, from those of each class and of `BACKGROUND`."""
        counts = np.zeros(len(self.labels) + self.rest, np.int64)
        places = np.array([self.of_background, *self.of_classes])
        pixels = np.array([background, *classes])
        np.add.at(counts, places[places != _NO_LABEL], pixels[places != _NO_LABEL])
        return counts


def label_places(
    folder: AnnotatedFolder, labels: Sequence[str], rule: BackgroundRule | None
) -> LabelPlaces:
    """Apply a rule to a set.

    The background is class 0 where the set counts it, or the class called "background"; or the
    pixels that the set labels as no class.

    Args:
        folder: The set.
        labels: The label of each of its classes.
        rule: None is what evaluation does: a class of the set counts, what is labelled as no class
            is ignored.

    Raises:
        ConfigError: If the set has no background, or none that is a class where one is asked for.
        LabelError: If a class is asked for as `other` already.
    """
    every = tuple(range(len(labels)))
    place = _background_class(folder)
    if rule is None or (rule == "class" and place is not None):
        return LabelPlaces(tuple(labels), every)
    if place is None and (rule == "class" or folder.background is not Background.OTHER):
        raise ConfigError(
            f"background is {rule!r}, but {folder.name} has no class called {CLASS_NAME!r}"
            + ("" if rule == "class" else " and no pixels that are labelled as no class")
            + ": leave background out"
        )
    if place is None:
        if rule == "ignore":
            return LabelPlaces(tuple(labels), every)
        if rule == "rest":
            return LabelPlaces(tuple(labels), every, len(labels), rest=True)
        asked = (OTHER, *labels)
        refuse_repeated(asked, f"{OTHER!r} and the labels of {folder.name}")
        return LabelPlaces(asked, tuple(index + 1 for index in every), 0)
    if rule == "other":
        asked = tuple(OTHER if index == place else label for index, label in enumerate(labels))
        refuse_repeated(asked, f"{OTHER!r} and the labels of {folder.name}")
        return LabelPlaces(asked, every)
    kept = tuple(label for index, label in enumerate(labels) if index != place)
    rest = rule == "rest"
    there = len(kept) if rest else _NO_LABEL
    moved = (there if index == place else index - (index > place) for index in every)
    return LabelPlaces(kept, tuple(moved), rest=rest)


def evaluated(folder: AnnotatedFolder, rule: BackgroundRule | None) -> BackgroundRule | None:
    """The rule of validation: what a set labels as no class is asked for in training alone."""
    if _background_class(folder) is None:
        return None
    return "ignore" if rule == "rest" else rule


def _background_class(folder: AnnotatedFolder) -> int | None:
    if folder.background is Background.COUNTED:
        return 0
    names = [name.casefold() for name in folder.classes]
    return names.index(CLASS_NAME) if CLASS_NAME in names else None
