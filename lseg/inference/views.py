"""From a picture to logits at its own size: resizing, scales, flip and sliding windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lseg.errors import ConfigError
from lseg.inference.sliding import WINDOW_BATCH, WindowGrid, sliding_maps
from lseg.models.guided import guided
from lseg.models.lseg import LSeg
from lseg.models.maps import AverageMaps, Maps, MirroredMaps, ResizedMaps, all_logits
from lseg.models.pooled import answered
from lseg.models.taught import picture_logits
from lseg.text.question import Question, as_question


class ViewRule(Protocol):
    """How a picture is shown to the network, and its logits put together."""

    def maps(self, model: LSeg, image: Tensor, text: Tensor | Question) -> Maps:
        """Logits (1, N, H, W) of a picture (3, H, W) uint8 by label vectors (N, C), or classes."""
        ...


@dataclass(frozen=True)
class InferenceConfig:
    """How a picture is shown to the network.

    Attributes:
        size: The shorter side in pixels at scale 1; None takes the model's own
            (`Preprocessing.size`), 0 leaves pictures as they are.
        scales: Factors on `size`; logits are averaged over them.
        flip: Also average with the mirrored picture.
        window: Side of a square sliding window; None shows the whole picture at once.
        stride: Step of the window as a share of its side; 2/3 in LSeg's evaluation.
        batch: How many windows the network sees at once.
        guided: Whether logits follow the outlines of the picture, see `lseg.models.guided`.
    """

    size: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    window: int | None = None
    stride: float = 2 / 3
    batch: int = WINDOW_BATCH
    guided: bool = False

    def __post_init__(self) -> None:
        """Refuses values out of range."""
        if not self.scales or min(self.scales) <= 0:
            raise ConfigError(f"scales are {self.scales}: give one or more positive numbers")
        if not 0 < self.stride <= 1:
            raise ConfigError(f"stride is {self.stride}: it must be in (0, 1]")
        if self.size is not None and self.size < 0:
            raise ConfigError(f"size is {self.size}: give a side in pixels, or 0 for no resizing")
        if self.window is not None and self.window < 32:
            raise ConfigError(f"window is {self.window}: it must be at least 32")
        if self.batch < 1:
            raise ConfigError(f"window batch is {self.batch}: give 1 or more")

    def maps(self, model: LSeg, image: Tensor, text: Tensor | Question) -> Maps:
        """See `ViewRule` and `image_maps`."""
        return image_maps(model, image, text, self)

    @property
    def plain(self) -> bool:
        """Whether the network sees the picture once, and whole."""
        return self.scales == (1.0,) and not self.flip and self.window is None


WHOLE_PICTURE = InferenceConfig()
MAX_ASPECT = 8  # a strip 1000 times as long as high would not fit into memory


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB picture as (3, H, W) uint8."""
    return TF.pil_to_tensor(image)


def resize_short_side(image: Tensor, size: int) -> Tensor:
    """(C, H, W) uint8 with its shorter side brought to `size`: bilinear, antialiased.

    `size` 0 leaves it as it is. The longer side is kept below `MAX_ASPECT` times `size`, and as the
    network needs 32 pixels either way, a very narrow picture is stretched to that.
    """
    height, width = image.shape[-2:]
    new = resized_shape(height, width, size)
    return image if new == (height, width) else TF.resize(image, list(new), antialias=True)


def resized_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width that `resize_short_side` makes of a picture."""
    short, long = min(height, width), max(height, width)
    factor = min(size / short, MAX_ASPECT * size / long) if size else 1.0
    return max(32, round(height * factor)), max(32, round(width * factor))


@torch.inference_mode()
def image_maps(
    model: LSeg,
    image: Tensor,
    text: Tensor | Question,
    config: InferenceConfig = WHOLE_PICTURE,
) -> Maps:
    """Logits of a picture at its own size, averaged over scales and flips; see `Maps`.

    The network runs now, or with windows when rows are asked for; logits are computed then.

    Args:
        model: In eval mode.
        image: (3, H, W) uint8 on any device.
        text: (N, C) label vectors, or classes that are asked in other ways.
        config: How the picture is shown to the network.

    Returns:
        (1, N, H, W) float32 on the model's device.
    """
    (maps,) = maps_of_questions(model, image, [as_question(text)], config)
    return maps


@torch.inference_mode()
def maps_of_questions(
    model: LSeg, image: Tensor, questions: Sequence[Question], config: InferenceConfig
) -> list[Maps]:
    """As `image_maps`, for several questions about a picture, which the network sees once.

    (With windows it sees it once a question.)
    """
    size = model.config.preprocessing.size if config.size is None else config.size
    short = size or min(image.shape[-2:])
    height, width = image.shape[-2:]
    image = image.to(model.device, non_blocking=True)
    found: list[list[Maps]] = [[] for _ in questions]
    for shown in _scaled(image, short, config.scales):
        every = _view_maps(model, shown, questions, config)
        if config.flip:  # averaged before they are resized, which is linear and costs more
            mirrored = _view_maps(model, shown.flip(-1), questions, config)
            pairs = zip(every, map(MirroredMaps, mirrored), strict=True)
            every = [AverageMaps(pair) for pair in pairs]
        for own, maps in zip(found, every, strict=True):
            own.append(guided(maps, image) if config.guided else ResizedMaps(maps, (height, width)))
    return [
        answered(own[0] if len(own) == 1 else AverageMaps(own), question)
        for own, question in zip(found, questions, strict=True)
    ]


def _view_maps(
    model: LSeg, shown: Tensor, questions: Sequence[Question], config: InferenceConfig
) -> list[Maps]:
    """Logits of what is shown to the network, at its own size."""
    if config.window is None:
        return picture_logits(model, model.normalize(shown[None]), questions)
    height, width = shown.shape[-2:]
    grid = WindowGrid.inside(height, width, config.window, config.stride)
    return [
        sliding_maps(model, shown, question, grid, batch=config.batch) for question in questions
    ]


def image_logits(
    model: LSeg,
    image: Tensor,
    text: Tensor | Question,
    config: InferenceConfig = WHOLE_PICTURE,
) -> Tensor:
    """All logits of `image_maps`, (N, H, W) float32."""
    return all_logits(image_maps(model, image, text, config))[0]


class View(NamedTuple):
    """What the network sees of a picture: (3, h, w) uint8, perhaps mirrored."""

    image: Tensor
    mirrored: bool


def views(image: Tensor, short: int, config: InferenceConfig) -> Iterator[View]:
    """The picture (3, H, W) at each scale, its shorter side `short` at scale 1, and mirrored."""
    for shown in _scaled(image, short, config.scales):
        yield View(shown, mirrored=False)
        if config.flip:
            yield View(shown.flip(-1), mirrored=True)


def _scaled(image: Tensor, short: int, scales: Sequence[float]) -> Iterator[Tensor]:
    for scale in scales:
        yield resize_short_side(image, max(1, round(short * scale)))
