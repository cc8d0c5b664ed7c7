"""The pictures of a folder as items for training, validation and evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional

from lseg.data.base.background import BackgroundRule, LabelPlaces, label_places
from lseg.data.base.folder import BACKGROUND, AnnotatedFolder, label_mask
from lseg.data.base.items import Augmentation, ItemKey, split_key
from lseg.data.base.mask_values import ignore_value
from lseg.data.base.tar import TarMember


class FolderDataset(Dataset[dict[str, Tensor]]):
    """Images with masks of label indices, at their own size where nothing transforms them.

    An item is {"image": (3, H, W) uint8 RGB, "mask": (H, W) int64}; mask values are indices into
    `labels`, or `ignore_index`. It is asked for by index, or by (epoch, index) where the
    transform shall vary with the epoch.

    Attributes:
        folder: Where the files are.
        stems: What identifies each item's picture in the folder.
        classes: Class names.
        labels: What to ask the text encoder for, class by class.
        ignore_index: Mask value that counts neither in losses nor in metrics.
        names: Stem of each image's file name.
    """

    def __init__(
        self,
        folder: AnnotatedFolder,
        labels: Sequence[str] | None = None,
        ignore_index: int | None = None,
        transform: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        """List the items; images are opened later.

        Args:
            folder: Pictures and masks.
            labels: A label a class; the classes' own names by default.
            ignore_index: Mask value of items for pixels without a label, no label's index; see
                `ignore_value` for what it is by default.
            transform: Of image and mask together.
            seed: First part of the transform's seed, (seed, epoch, index).

        Raises:
            DataError: If there are no pictures.
        """
        self.folder = folder
        self.stems = list(folder.stems)
        self.classes = list(folder.classes)
        self.labels = list(folder.classes if labels is None else labels)
        self.ignore_index = ignore_value(len(self.labels)) if ignore_index is None else ignore_index
        self.transform, self.seed = transform, seed
        self.places: LabelPlaces | None = None

    def ask_background(self, rule: BackgroundRule | None) -> None:
        """Say what pixels are that show none of the classes; `labels` follows.

        Raises:
            ConfigError, LabelError: If the rule does not fit the set; see `label_places`.
        """
        self.places = label_places(self.folder, self.labels, rule)
        self.labels = list(self.places.labels)
        self.ignore_index = ignore_value(len(self.labels) + self.places.rest)

    @property
    def asks_rest(self) -> bool:
        """Whether masks hold one index more than there are labels; see `LabelPlaces`."""
        return self.places is not None and self.places.rest

    @property
    def names(self) -> list[str]:
        """See the class."""
        return [self.folder.image_path(stem).stem for stem in self.stems]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.stems)

    def __getitem__(self, key: ItemKey) -> dict[str, Tensor]:
        """Return the image and mask of (epoch, index), transformed if there is a transform.

        Raises:
            DataError: If a file is missing, the sizes differ, or the mask has an unknown value.
            ImageError: If a file cannot be read.
            IndexError: If there is no such index.
        """
        epoch, index = split_key(key)
        picture = self.folder.read(self.stems[index])
        image = functional.pil_to_tensor(picture.image)
        if self.places is None:
            mask = label_mask(picture.mask, self.ignore_index)
        else:
            mask = self.places.mask(picture.mask, self.ignore_index)
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=(self.seed, epoch, index))
        return {"image": image, "mask": mask}

    def files(self) -> Iterator[Path | TarMember]:
        """What the items are read from."""
        return self.folder.sources(self.stems)

    def pixel_counts(self) -> Tensor:
        """Pixels of each label in all masks, (N) int64; reads every mask, images are not opened.

        Where the set `asks_rest`, its pixels are counted behind the labels'.

        Raises:
            DataError, ImageError: As for an item.
        """
        counts = np.zeros(len(self.classes), np.int64)
        background = 0
        for stem in self.stems:
            mask = self.folder.mask(stem)
            counts += np.bincount(mask[mask >= 0], minlength=len(counts))
            background += int((mask == BACKGROUND).sum())
        if self.places is not None:
            counts = self.places.counts(counts, background)
        return torch.from_numpy(counts)
