"""How pixel embeddings are asked for: what the network sees, and what comes out."""

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from lseg.errors import ConfigError
from lseg.inference.layout import check_layout
from lseg.inference.views import InferenceConfig

Size = tuple[int, int]


class PictureSizes(NamedTuple):
    """Heights and widths that belong to a picture.

    Attributes:
        picture: Its own.
        network: Of the network's input at scale 1.
        output: Of the network's output for that input, half of it.
    """

    picture: Size
    network: Size
    output: Size


class PaddedSizes(NamedTuple):
    """Heights and widths on the patch grid, before the padding is cut off.

    Attributes:
        input: Of the network's input.
        output: Of its output.
    """

    input: Size
    output: Size


class Grid(Protocol):
    """Chooses height and width of the embeddings of a picture."""

    def size(self, sizes: PictureSizes) -> Size:
        """Height and width."""
        ...


class NetworkGrid:
    """The network's own output, half of its input: nothing is resampled."""

    def size(self, sizes: PictureSizes) -> Size:
        """See `Grid`."""
        return sizes.output

    def __str__(self) -> str:
        return "network"


class PictureGrid:
    """One embedding for every pixel of the picture."""

    def size(self, sizes: PictureSizes) -> Size:
        """See `Grid`."""
        return sizes.picture

    def __str__(self) -> str:
        return "picture"


@dataclass(frozen=True)
class StrideGrid:
    """One embedding for every `stride` pixels of the network's input."""

    stride: int

    def __post_init__(self) -> None:
        """Refuses a stride below 1."""
        if self.stride < 1:
            raise ConfigError(f"stride is {self.stride}: give a number of pixels from 1 up")

    def size(self, sizes: PictureSizes) -> Size:
        """See `Grid`."""
        height, width = sizes.network
        return math.ceil(height / self.stride), math.ceil(width / self.stride)

    def __str__(self) -> str:
        return f"stride {self.stride}"


@dataclass(frozen=True)
class FixedGrid:
    """The same height and width for every picture."""

    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuses sizes below 1."""
        if min(self.height, self.width) < 1:
            raise ConfigError(f"output size {self}: give HEIGHTxWIDTH, such as 240x320")

    def size(self, sizes: PictureSizes) -> Size:
        """See `Grid`."""
        return self.height, self.width

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


def parse_grid(text: str) -> Grid:
    """`network`, `picture`, or `240x320` (height x width).

    Raises:
        ConfigError: If it is none of these.
    """
    named: dict[str, Grid] = {"network": NetworkGrid(), "picture": PictureGrid()}
    if text in named:
        return named[text]
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise ConfigError(
            f"output size {text!r}: give network, picture, or HEIGHTxWIDTH, such as 240x320"
        )
    return FixedGrid(int(found[1]), int(found[2]))


@dataclass(frozen=True)
class EmbedConfig:
    """How the pixel embeddings of a picture are computed.

    Attributes:
        size: The shorter side in pixels that the network sees at scale 1; None takes the model's
            own, 0 leaves pictures as they are.
        long_side: The longer side instead.
        scales: Factors on that size; embeddings are averaged over them.
        flip: Also average with the mirrored picture.
        window: Side of a sliding window in pixels, rounded to the patch grid; memory then no
            longer grows with the picture. None shows pictures whole.
        stride: Step of the window as a share of its side.
        grid: Height and width of the result.
        dtype: NumPy type of the result.
        normalize: Divide each embedding by its norm.
        layout: Order of the result's axes: CHW, HWC or NCHW.
    """

    size: int | None = None
    long_side: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    window: int | None = None
    stride: float = 2 / 3
    grid: Grid = field(default_factory=NetworkGrid)
    dtype: str = "float16"
    normalize: bool = True
    layout: str = "CHW"

    def __post_init__(self) -> None:
        """Refuses values out of range."""
        InferenceConfig(self.size, self.scales, self.flip, self.window, self.stride)
        check_layout(self.layout)
        if self.long_side is not None and self.long_side < 32:
            raise ConfigError(f"long side is {self.long_side}: it must be at least 32")
        if not np.issubdtype(np.dtype(self.dtype), np.floating):
            raise ConfigError(f"dtype is {self.dtype}: give float16 or float32")

    def short_side(self, height: int, width: int, own: int) -> int:
        """The shorter side that the network sees of a picture; `own` is the model's."""
        short = min(height, width)
        if self.long_side is not None:
            return max(1, round(self.long_side * short / max(height, width)))
        return (own if self.size is None else self.size) or short

    @property
    def plain(self) -> bool:
        """Whether the result is one pass of the network on its own grid."""
        alone = self.scales == (1.0,) and not self.flip and self.window is None
        return alone and isinstance(self.grid, NetworkGrid)
