"""Training augmentations of an image and its mask, reproducible item by item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from lseg.errors import ConfigError


@dataclass(frozen=True)
class AugmentConfig:
    """How training pictures are varied: random scale, random crop, flip, colour jitter.

    Attributes:
        crop: Side of the square that comes out, in pixels.
        scale: Lower and upper bound of the random scale factor, drawn uniformly.
        base_size: Side, in pixels, that a picture gets before the random factor; None starts from
            its own size.
        base_side: Which side that is; the long one in the recipe of LSeg and DPT.
        flip: Probability of mirroring left and right.
        color: Strength of the jitter, 0 (none) to 1: brightness, contrast and saturation are
            multiplied by 1 ± color, the hue turns by at most color / 4 of the colour circle.
        fill: RGB, 0–255, of what lies outside the picture; the mask is ignored there.
    """

    crop: int = 480
    scale: tuple[float, float] = (0.5, 2.0)
    base_size: int | None = None
    base_side: Literal["short", "long"] = "short"
    flip: float = 0.5
    color: float = 0.0
    fill: tuple[int, int, int] = (127, 127, 127)

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: If a value is out of its range.
        """
        for name, valid, accepted in (
            ("crop", self.crop >= 1, "at least 1 pixel"),
            ("scale", len(self.scale) == 2 and 0 < self.scale[0] <= self.scale[-1], "0 < lo <= hi"),
            ("base_size", self.base_size is None or self.base_size >= 1, "null, or at least 1"),
            ("flip", 0 <= self.flip <= 1, "a probability, 0 to 1"),
            ("color", 0 <= self.color <= 1, "a strength, 0 to 1"),
            ("fill", len(self.fill) == 3 and all(0 <= c <= 255 for c in self.fill), "RGB, 0-255"),
        ):
            if not valid:
                raise ConfigError(f"augment.{name} is {getattr(self, name)}; give {accepted}")


class JointTransform:
    """Augment an image and its mask with the same geometry.

    Every random choice is a function of the seed of the call, whatever was drawn before and in
    whichever process.
    """

    def __init__(self, config: AugmentConfig, ignore_index: int = 255) -> None:
        """Build the augmentations.

        Args:
            config: What to vary.
            ignore_index: Mask value for what lies outside the picture.
        """
        steps: list[v2.Transform] = [RandomScaleCrop(config, ignore_index)]
        if config.flip > 0:
            steps.append(v2.RandomHorizontalFlip(config.flip))
        if config.color > 0:
            steps.append(v2.ColorJitter(*[config.color] * 3, hue=config.color / 4))
        self.steps = v2.Compose(steps)

    def __call__(self, image: Tensor, mask: Tensor, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return the augmented image and mask.

        Args:
            image: (3, H, W) uint8.
            mask: (H, W), an integer type.
            seed: Integers of 0 or more that name the item, such as (seed, epoch, index).

        Returns:
            The image, (3, crop, crop) uint8, and the mask, (crop, crop) int64.
        """
        state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
        # torchvision draws from torch's CPU generator. Only that one is seeded, and put back:
        # torch.manual_seed would also reset the generators of the GPUs, and with them dropout.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(state)
            image, mask = self.steps(tv_tensors.Image(image), tv_tensors.Mask(mask))
        # Plain tensors: batches need no subclass, and are collated faster without.
        return image.as_subclass(Tensor).contiguous(), mask.as_subclass(Tensor).contiguous()


class _Window(NamedTuple):
    """An axis of a crop: `before` of fill, then `size` source pixels from `start`, as `resized`."""

    start: int
    size: int
    resized: int
    before: int


class RandomScaleCrop(v2.Transform):
    """Scale by a random factor and crop at random; resample once, and only what is kept.

    The window is chosen in the scaled picture, whole pixels there, then rounded to whole pixels
    of the source, so that it is cropped before it is resized. A picture smaller than the crop is
    placed at random inside it.
    """

    def __init__(self, config: AugmentConfig, ignore_index: int) -> None:
        """Take size, scale and fill from `config`; pad masks with `ignore_index`."""
        super().__init__()
        self.config = config
        self.ignore_index = ignore_index

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the window, as {"rows": _Window, "columns": _Window}."""
        height, width = functional.get_size(flat_inputs[0])
        scale = float(torch.empty(()).uniform_(*self.config.scale))
        if self.config.base_size is not None:
            side = min if self.config.base_side == "short" else max
            scale *= self.config.base_size / side(height, width)
        return {"rows": self._window(height, scale), "columns": self._window(width, scale)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Cut the window out, (..., H, W) to (..., crop, crop); a mask becomes int64."""
        rows, columns = params["rows"], params["columns"]
        part = inpt.as_subclass(Tensor)[
            ...,
            rows.start : rows.start + rows.size,
            columns.start : columns.start + columns.size,
        ]
        size = [rows.resized, columns.resized]
        crop = self.config.crop
        after = [crop - columns.before - columns.resized, crop - rows.before - rows.resized]
        padding = [columns.before, rows.before, *after]
        if isinstance(inpt, tv_tensors.Mask):
            # Resized as an image: for masks torchvision allows the legacy "nearest" alone, which
            # lies half a pixel off the bilinear grid of the image.
            part = functional.resize(part[None], size, InterpolationMode.NEAREST_EXACT)[0].long()
            part = functional.pad(part[None], padding, fill=self.ignore_index)[0]
        else:
            part = functional.resize(part, size, InterpolationMode.BILINEAR, antialias=True)
            part = functional.pad(part, padding, fill=list(self.config.fill))
        return tv_tensors.wrap(part, like=inpt)

    def _window(self, length: int, scale: float) -> _Window:
        """Draw one axis: the crop's place on a line of `length` pixels that is to be scaled."""
        crop = self.config.crop
        resized = max(1, round(length * scale))
        slack = resized - crop
        offset = int(torch.randint(min(0, slack), max(0, slack) + 1, ()))
        if slack <= 0:
            return _Window(0, length, resized, -offset)
        start = min(round(offset * length / resized), length - 1)
        stop = round((offset + crop) * length / resized)
        return _Window(start, max(1, stop - start), crop, 0)
