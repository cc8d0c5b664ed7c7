"""Pixel embeddings against label vectors (LSeg, section 3.2), a strip of rows at a time."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.models.embeddings import AffineMap, PixelEmbeddings, no_autocast
from lseg.models.regularization import halo, mixes_labels
from lseg.models.upsample import RowSpan, row_span


@dataclass(frozen=True)
class Comparison:
    """Logits of labels at half resolution: `scale` times the cosine, regularised.

    Nothing is computed before rows are asked for, so that what needs many labels at full
    resolution can go strip by strip. See `lseg.models.embeddings` for the mathematics.

    Attributes:
        features: (B, F, h, w) of the decoder, at a quarter of the picture's size.
        norms: (B, 1, 2h, 2w) of the pixel embeddings; (B, 1, h, w) where nothing is doubled.
        kernels: Label vectors as maps from features to dot products, times the scale.
        block: The spatial block, or the identity.
    """

    features: Tensor
    norms: Tensor
    kernels: AffineMap
    block: nn.Module

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the logits."""
        return self.norms.shape[-2], self.norms.shape[-1]

    @property
    def labels(self) -> int:
        """Number of labels."""
        return self.kernels.bias.shape[-1]

    @property
    def batch(self) -> int:
        """Number of pictures."""
        return len(self.features)

    @property
    def device(self) -> torch.device:
        """Where rows are computed."""
        return self.norms.device

    def rows(self, start: int, stop: int) -> Tensor:
        """Logits (B, N, stop - start, 2w), float32, of rows [start, stop)."""
        return self.cut(start, stop).logits(self.kernels, self.block)

    def split(self, count: int) -> "list[Comparison]":
        """The logits of up to `count` labels each; itself, if the block mixes labels."""
        if mixes_labels(self.block):
            return [self]
        weights = self.kernels.weight.split(count, dim=-2)
        biases = self.kernels.bias.split(count, dim=-1)
        return [
            replace(self, kernels=AffineMap(*pair)) for pair in zip(weights, biases, strict=True)
        ]

    def pictures(self, first: int, last: int) -> "Comparison":
        """The logits of pictures [first, last)."""
        weight, bias = self.kernels
        if weight.ndim == 3:
            weight, bias = weight[first:last], bias[first:last]
        kernels = AffineMap(weight, bias)
        return Comparison(self.features[first:last], self.norms[first:last], kernels, self.block)

    def cut(self, start: int, stop: int) -> "Strip":
        """What the logits of rows [start, stop) are made from."""
        around = halo(self.block)
        top, bottom = max(0, start - around), min(self.size[0], stop + around)
        span = row_span(top, bottom, self.features.shape[2], self.size)
        return Strip(
            self.features[:, :, span.first : span.last],
            self.norms[:, :, top:bottom],
            span,
            slice(start - top, stop - top),
        )


@dataclass(frozen=True)
class PixelLogits:
    """A `Comparison` brought to the size of the network's input.

    Attributes:
        half: The logits at half resolution.
        padded: Height and width of the input on the patch grid.
        size: Its height and width without padding, those of the logits.
        cells: Whether the logits are those of cells; see `lseg.models.upsample`.
    """

    half: Comparison
    padded: tuple[int, int]
    size: tuple[int, int]
    cells: bool = False

    @property
    def labels(self) -> int:
        """Number of labels."""
        return self.half.labels

    @property
    def batch(self) -> int:
        """Number of pictures."""
        return self.half.batch

    @property
    def device(self) -> torch.device:
        """Where rows are computed."""
        return self.half.device

    def rows(self, start: int, stop: int) -> Tensor:
        """Logits (B, N, stop - start, W), float32, of rows [start, stop)."""
        span = self.span(start, stop)
        return self.crop(span.upsample(self.half.rows(span.first, span.last)))

    def split(self, count: int) -> "list[PixelLogits]":
        """The logits of up to `count` labels each, as `Comparison.split`."""
        return [replace(self, half=half) for half in self.half.split(count)]

    def pictures(self, first: int, last: int) -> "PixelLogits":
        """The logits of pictures [first, last)."""
        return replace(self, half=self.half.pictures(first, last))

    def span(self, start: int, stop: int) -> RowSpan:
        """What rows [start, stop) need of `half`."""
        return row_span(start, stop, self.half.size[0], self.padded, self.cells)

    def crop(self, rows: Tensor) -> Tensor:
        """Rows without the padding at their ends."""
        return rows[..., : self.size[1]]


class Strip(NamedTuple):
    """Some rows of a `Comparison`.

    Attributes:
        features: (B, F, q, w).
        norms: (B, 1, r, 2w), with rows around the wanted ones if a spatial block looks at those.
        span: Which rows of the whole these are.
        keep: The wanted rows among the r.
    """

    features: Tensor
    norms: Tensor
    span: RowSpan
    keep: slice

    def logits(self, kernels: AffineMap, block: nn.Module) -> Tensor:
        """Logits (B, N, keep, 2w): the dot products are doubled, then divided by the norms."""
        with no_autocast(self.features):
            dots = self.span.upsample(dot_products(self.features, kernels))
            scaled = dots / self.norms if torch.is_grad_enabled() else dots.div_(self.norms)
            return block(scaled)[:, :, self.keep]


def compare(
    embeddings: PixelEmbeddings, text: Tensor, scale: float, block: nn.Module
) -> Comparison:
    """Pixel embeddings against label vectors.

    Args:
        embeddings: Of B pictures.
        text: (N, C), or (B, N, C) where each picture has labels of its own; unit vectors.
        scale: 1/0.07 in LSeg; folded into the label vectors.
        block: Spatial block, or the identity.
    """
    kernels = embeddings.kernels(scale * text)
    return Comparison(embeddings.features, embeddings.norms, kernels, block)


def coarse_logits(embeddings: PixelEmbeddings, text: Tensor, scale: float) -> Tensor:
    """As `compare`, at the decoder's own grid and without a block: (B, N, h, w).

    Where it learns on a CPU, in channels-last memory: with the labels of a pixel side by side, the
    gradient of a softmax over them takes half the time. (And features are divided by the norms, not
    the logits, which spares a pass over these in each direction.)
    """
    features, norms = embeddings.features, embeddings.coarse_norms
    with no_autocast(text):
        kernels = embeddings.kernels(scale * text)
        if features.device.type != "cpu" or not torch.is_grad_enabled():
            return dot_products(features, kernels) / norms
        pixels, norms = features.permute(0, 2, 3, 1), norms.permute(0, 2, 3, 1)
        pixels = torch.cat([pixels / norms, 1 / norms], dim=-1)  # (B, h, w, F + 1)
        columns = torch.cat([kernels.weight, kernels.bias[..., None]], dim=-1)  # (..., N, F + 1)
        dots = pixels.flatten(1, 2) @ columns.transpose(-1, -2)  # (B, hw, N)
    return dots.unflatten(1, features.shape[-2:]).permute(0, 3, 1, 2)


def dot_products(features: Tensor, kernels: AffineMap) -> Tensor:
    """(B, F, h, w) features by (N, F) or (B, N, F) kernels: (B, N, h, w).

    On GPUs label by label in memory, which is what softmax and upsampling are fastest with there.
    """
    weight, bias = kernels
    if weight.ndim == 2:
        if features.device.type == "cpu":
            return F.conv2d(features, weight[:, :, None, None], bias)
        weight, bias = weight.expand(len(features), -1, -1), bias[None]
    dots = torch.baddbmm(bias[:, :, None], weight, features.flatten(2))
    return dots.unflatten(2, features.shape[-2:])
