"""From a picture to a network's input."""

from dataclasses import dataclass

from lseg.errors import ConfigError, shown

HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LARGEST_SIDE = 4096
"""To which a model may want the shorter side of pictures resized, in pixels."""


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the network's input.

    Attributes:
        mean: RGB mean that is subtracted from pixel values in [0, 1].
        std: RGB standard deviation that they are then divided by.
        size: Length in pixels to which `Segmenter` resizes a picture's shorter side.
        guided: Whether `Segmenter`'s logits follow the picture's outlines, see
            `lseg.models.guided`.
    """

    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF
    size: int = 480
    guided: bool = False

    def __post_init__(self) -> None:
        """Refuses values that no picture can be prepared by."""
        if 0 in self.std:
            raise ConfigError(f"std is {self.std}: pixel values cannot be divided by 0")
        if not 0 <= self.size <= LARGEST_SIDE:
            raise ConfigError(
                f"size is {shown(self.size)}: give a side in pixels, at most {LARGEST_SIDE}, or 0 "
                "for no resizing"
            )
