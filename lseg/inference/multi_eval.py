"""The evaluation by which LSeg's authors made their figures with a fixed label set.

`MultiEvalModule` of isl-org/lang-seg (additional_utils), after PyTorch-Encoding's. It differs from
`lseg.inference.views` in every detail: the longer side is brought to the base size, without
antialiasing; windows step over the picture's edge, where they see black; each window is mirrored by
itself.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lseg.errors import ConfigError
from lseg.inference.sliding import WINDOW_BATCH, WindowGrid, sliding_maps
from lseg.models.lseg import LSeg
from lseg.models.maps import AverageMaps, Maps, ResizedMaps
from lseg.models.pooled import answered
from lseg.models.upsample import upsample
from lseg.text.question import Question, as_question

PUBLISHED_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
STRIDE = 2 / 3


@dataclass(frozen=True)
class MultiEvalConfig:
    """Scales, windows and flips as published; a `lseg.inference.views.ViewRule`.

    Attributes:
        base_size: The longer side in pixels at scale 1. The authors' for Cityscapes is 2048.
        crop_size: Side of the square windows, which step by two thirds of it; a picture with no
            longer side is seen in one. The authors' for Cityscapes is 768.
        scales: Factors on `base_size`, rounded up. The authors' for Cityscapes are 0.75 to 2.25.
        flip: Also show every window mirrored.
        batch: How many windows, mirrored ones among them, the network sees at once.
    """

    base_size: int = 520
    crop_size: int = 480
    scales: tuple[float, ...] = PUBLISHED_SCALES
    flip: bool = True
    batch: int = WINDOW_BATCH

    def __post_init__(self) -> None:
        """Refuses values out of range.

        Raises:
            ConfigError: If there is one.
        """
        if not self.scales or min(self.scales) <= 0:
            raise ConfigError(f"scales are {self.scales}: give one or more positive numbers")
        if self.base_size < 1:
            raise ConfigError(f"size is {self.base_size}: give the longer side in pixels")
        if self.crop_size < 32:
            raise ConfigError(f"window is {self.crop_size}: it must be at least 32")
        if self.batch < 1:
            raise ConfigError(f"window batch is {self.batch}: give 1 or more")

    @torch.inference_mode()
    def maps(self, model: LSeg, image: Tensor, text: Tensor | Question) -> Maps:
        """Logits (1, N, H, W) of a picture (3, H, W) uint8 by label vectors (N, C), or classes.

        They are the mean over the scales, where the original has the sum; the labels are the same.
        """
        question = as_question(text)
        height, width = image.shape[-2:]
        image = image.to(model.device, non_blocking=True)
        image = image if image.is_floating_point() else image.float()
        found: list[Maps] = []
        for scale in self.scales:
            size = scaled_size(height, width, math.ceil(self.base_size * scale))
            shown = upsample(image[None], size)[0]
            grid = WindowGrid.beyond(*size, self.crop_size, STRIDE)
            maps = sliding_maps(model, shown, question, grid, self.flip, self.batch)
            found.append(ResizedMaps(maps, (height, width)))
        return answered(found[0] if len(found) == 1 else AverageMaps(found), question)


def scaled_size(height: int, width: int, long: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side is brought to `long` pixels."""
    short = max(1, int(min(height, width) * long / max(height, width) + 0.5))
    return (long, short) if height > width else (short, long)
