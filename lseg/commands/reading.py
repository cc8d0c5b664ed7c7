"""How commands read pictures."""

from collections.abc import Callable
from functools import partial

import torch

from lseg.commands.options.shared import PictureOptions
from lseg.data.base.remote import AnyFile
from lseg.inference.prefetch import Picture, read_picture
from lseg.pipeline.sequences import Frames


def picture_reader(options: PictureOptions, device: torch.device) -> Callable[[AnyFile], Picture]:
    """What reads a picture for a network on `device`, as options say."""
    return partial(
        read_picture,
        pin=device.type == "cuda",
        upright=options.orientation == "displayed",
        max_pixels=options.max_megapixels * 10**6,
    )


def frames_of(options: PictureOptions) -> Frames:
    """Which frames of videos and other sequences, as options say."""
    return Frames(options.start, options.stop, options.frame_stride)
