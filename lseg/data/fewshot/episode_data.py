"""Episodes as tensors: pictures and masks at one size, as the benchmarks' protocol resizes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TypedDict

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as TF

from lseg.data.base.fingerprint import File
from lseg.data.base.folder import IGNORE, AnnotatedImage
from lseg.data.fewshot.episodes import Episode
from lseg.data.fewshot.sources import MaskSource

LEFT_OUT = 255
"""Mask value of pixels that do not count; 0 is background, 1 the class that is asked for."""


class EpisodeTensors(TypedDict):
    """An episode with S supports, or a batch of B of them with a leading dimension.

    `image` is (3, s, s) uint8 and `mask` (s, s) uint8 of 0, 1 or `LEFT_OUT`; `supports` (S, 3, s,
    s) and `support_masks` (S, s, s) alike. `class_index` and `number` (which episode) are integers.
    """

    image: Tensor
    mask: Tensor
    supports: Tensor
    support_masks: Tensor
    class_index: int
    number: int


class EpisodeData(Dataset[EpisodeTensors]):
    """The pictures and masks of episodes."""

    def __init__(self, source: MaskSource, episodes: Sequence[Episode], size: int = 480) -> None:
        """Pictures and masks are brought to `size` by `size`."""
        self.source, self.episodes, self.size = source, episodes, size

    def __len__(self) -> int:
        """Return the number of episodes."""
        return len(self.episodes)

    def __getitem__(self, index: int) -> EpisodeTensors:
        """Read an episode.

        Raises:
            DataError, ImageError: If a file is missing or unreadable.
        """
        episode = self.episodes[index]
        image, mask = self._load(episode.query, episode.class_index)
        supports = torch.empty(len(episode.supports), 3, self.size, self.size, dtype=torch.uint8)
        masks = torch.empty(len(episode.supports), self.size, self.size, dtype=torch.uint8)
        for number, picture in enumerate(episode.supports):
            supports[number], masks[number] = self._load(picture, episode.class_index)
        return EpisodeTensors(
            image=image,
            mask=mask,
            supports=supports,
            support_masks=masks,
            class_index=episode.class_index,
            number=index,
        )

    def files(self) -> Iterable[File]:
        """What the episodes are read from."""
        pictures = {
            picture for episode in self.episodes for picture in (episode.query, *episode.supports)
        }
        return chain.from_iterable(map(self.source.files, sorted(pictures)))

    def _load(self, picture: int, class_index: int) -> tuple[Tensor, Tensor]:
        image, mask = resize(self.source.read(picture), self.size)
        return image, binary_mask(mask, class_index)


def resize(picture: AnnotatedImage, size: int) -> tuple[Tensor, Tensor]:
    """A picture, (3, size, size) uint8, and its mask, (size, size) int16."""
    return resize_image(picture.image, size), resize_mask(picture.mask, size)


def resize_image(image: Image.Image, size: int) -> Tensor:
    """(3, size, size) uint8 of an RGB picture: Pillow's antialiased bilinear, aspect not kept."""
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return TF.pil_to_tensor(image)


def resize_mask(mask: np.ndarray, size: int) -> Tensor:
    """(size, size) int16 of a mask (H, W): the nearest pixel, rounded down as torch does."""
    values = torch.from_numpy(mask.astype(np.float32))[None, None]
    return F.interpolate(values, (size, size), mode="nearest")[0, 0].to(torch.int16)


def binary_mask(mask: Tensor, class_index: int) -> Tensor:
    """1 where the class is, `LEFT_OUT` where there is no label, else 0: uint8."""
    binary = (mask == class_index).to(torch.uint8)
    binary[mask == IGNORE] = LEFT_OUT
    return binary
