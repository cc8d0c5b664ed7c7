"""What the project's data sets have in common: keys, items and batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from torch import Tensor
from torch.utils.data import default_collate

from lseg.data.base.fingerprint import File
from lseg.errors import DataError

SET = "set"
"""Key of an item's or a batch's part that says which of several data sets a picture is of."""

ItemKey = int | tuple[int, int]
"""How an item is asked for: (epoch, index), or an index alone for epoch 0."""


def split_key(key: ItemKey) -> tuple[int, int]:
    """Return the (epoch, index) that a key names."""
    return key if isinstance(key, tuple) else (0, key)


class Augmentation(Protocol):
    """Changes an image and its mask together."""

    def __call__(self, image: Tensor, mask: Tensor, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return image and mask as varied by `seed`, (seed, epoch, index), and by nothing else."""
        ...


class SegmentationData(Protocol):
    """What the loaders need of a data set.

    An item is {"image": (3, H, W) uint8, "mask": (H, W) int64 of indices into `labels` or
    `ignore_index`}. It may add "candidates", (n,) int64: the labels that the picture is asked for,
    as indices into `labels`, where those are not all.
    """

    labels: list[str]
    ignore_index: int

    def __len__(self) -> int:
        """Return the number of items."""
        ...

    def __getitem__(self, key: ItemKey) -> dict[str, Tensor]:
        """Return the item of an index, or of (epoch, index)."""
        ...

    def files(self) -> Iterable[File]:
        """Return what the items are read from; nothing where they are drawn."""
        ...


class NamedData(SegmentationData, Protocol):
    """A data set whose pictures have names, by which results are filed."""

    @property
    def names(self) -> Sequence[str]:
        """A name for every item: the stem of the picture's file.

        Folders come before it (`folder/stem`) where stems repeat.
        """
        ...


def collate(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Stack items into a batch; of several data sets, those of one stand together, in their order.

    Raises:
        DataError: If the images differ in size.
    """
    sizes = sorted({tuple(item["image"].shape[-2:]) for item in items})
    if len(sizes) > 1:
        listed = ", ".join(f"{width}x{height}" for height, width in sizes)
        raise DataError(
            f"a batch of {len(items)} has images of different sizes ({listed}, width x height); "
            "set data.val_batch_size to 1, and one augment.crop for all sets of a training"
        )
    if SET in items[0]:
        items = sorted(items, key=lambda item: int(item[SET]))
    return default_collate(list(items))
