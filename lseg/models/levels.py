"""Four feature maps of an image encoder, and facts about them.

A backbone publishes facts about its levels (`LevelInfo`) and the decoder is sized from them;
nothing downstream compares model names.
Kinds: `lseg.models.backbones` (timm), `beit`, `rotary`, `transformers_backbone`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from lseg.errors import ConfigError


@dataclass(frozen=True)
class LevelInfo:
    """Facts about one level.

    Attributes:
        width: Channels of the feature map.
        stride: Input pixels per feature-map pixel.
        tokens: Whether it comes from a transformer, to be reassembled with a readout token.
    """

    width: int
    stride: int
    tokens: bool


class Level(NamedTuple):
    """One level's output: a feature map (B, D, h, w) and a readout token (B, D), if any."""

    map: Tensor
    readout: Tensor | None


class Backbone(nn.Module):
    """Base: `levels` describes what `forward` returns, finest level first."""

    levels: tuple[LevelInfo, ...]
    has_readout: bool = False

    @property
    def repeated(self) -> nn.Module | None:
        """The blocks of a plain transformer, all of one form; None of any other network."""
        return None

    def forward(self, pixels: Tensor) -> list[Level]:
        """(B, 3, H, W), H and W multiples of the coarsest stride, to one `Level` per entry."""
        raise NotImplementedError


def level_scales(levels: Sequence[LevelInfo]) -> list[float]:
    """Factor by which each level is resized to reach strides 4, 8, 16, 32.

    Convolutional levels stay as they are. A patch size that is no power of two (14) counts as the
    nearest one, so that all four levels keep their ratio of 2.
    """
    return [
        2.0 ** (round(math.log2(level.stride)) - 2 - index) if level.tokens else 1.0
        for index, level in enumerate(levels)
    ]


def size_multiple(levels: Sequence[LevelInfo]) -> int:
    """The number that an input's height and width must divide by."""
    shrink = zip(levels, level_scales(levels), strict=True)
    return max(round(level.stride / min(scale, 1.0)) for level, scale in shrink)


def check_blocks(row: nn.Module, blocks: Sequence[int]) -> None:
    """Checks the indices of blocks.

    Args:
        row: All blocks of a transformer.
        blocks: Indices from 0, which must rise.

    Raises:
        ConfigError: If they do not, or there are no such blocks.
    """
    count = len(row)  # type: ignore[arg-type]
    if not rising(blocks, count):
        raise ConfigError(
            f"levels {tuple(blocks)} do not fit a transformer of {count} blocks: "
            f"give rising indices from 0 to {count - 1}"
        )


def rising(indices: Sequence[int], end: int) -> bool:
    """Whether indices rise, from 0 to less than `end`."""
    return all(0 <= index < end for index in indices) and all(a < b for a, b in pairwise(indices))


def halving(strides: Sequence[int]) -> bool:
    """Whether each map is half as large as the one before."""
    return all(2 * fine == coarse for fine, coarse in pairwise(strides))
