"""A picture as a network has seen it: what labels are compared with."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lseg.inference.prefetch import Picture, read_picture
from lseg.inference.views import resize_short_side
from lseg.models.embeddings import PixelEmbeddings
from lseg.models.lseg import Look, LSeg
from lseg.models.trunk import pad_to_multiple

ImageSource = str | os.PathLike[str] | Image.Image | np.ndarray | Picture


@dataclass(frozen=True)
class EncodedPicture:
    """What `Segmenter` keeps of a picture.

    Attributes:
        image: The picture, RGB.
        look: What the network saw on the padded patch grid, of a batch of 1.
        padded: Height and width of the padded network input.
        size: Height and width of the network input without padding.
    """

    image: Image.Image
    look: Look
    padded: tuple[int, int]
    size: tuple[int, int]

    @property
    def embeddings(self) -> PixelEmbeddings:
        """Of its pixels."""
        return self.look.embeddings


@torch.inference_mode()
def encode_picture(model: LSeg, image: ImageSource, size: int) -> EncodedPicture:
    """Shows a picture to the network.

    Args:
        model: In eval mode.
        image: A path, a PIL image, or an (H, W, 3) uint8 array.
        size: The shorter side in pixels; 0 leaves it as it is.

    Raises:
        ImageError: If it cannot be read.
    """
    picture = as_picture(image)
    pixels = picture.pixels.to(model.device, non_blocking=True)
    return _encoded(model, picture.image, resize_short_side(pixels, size))


def _encoded(model: LSeg, image: Image.Image, pixels: Tensor) -> EncodedPicture:
    padded, size = pad_to_multiple(model.normalize(pixels[None]), model.trunk.multiple)
    look = model.look(padded)
    _ = look.embeddings.norms  # computed now and kept, so that labels need not wait for it
    return EncodedPicture(image, look, (padded.shape[-2], padded.shape[-1]), size)


def as_picture(image: ImageSource) -> Picture:
    """What was read already, or is read now.

    Raises:
        ImageError: If it cannot be read.
    """
    return image if isinstance(image, Picture) else read_picture(image)
