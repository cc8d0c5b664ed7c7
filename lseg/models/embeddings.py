"""Pixel embeddings in the form that is cheapest to ask.

LSeg as published projects the decoder's features x (F channels) to C channels, doubles the map, and
then compares every pixel with every label. All of this is linear up to the division by the norm, so
it can be reordered without changing the result:

1.  The decoder's last 1x1 convolution and the projection are one affine map, e = W x + b; since
    bilinear weights sum to one, it commutes with the doubling.
2.  So does the dot product with a label t: up(<t, e>) = up(<W't, x> + <t, b>). The labels are
    brought to the F channels of x instead of x to the C channels of the labels, and N label maps
    are doubled instead of C embedding maps, which are never built.
3.  The norm of a doubled embedding needs no doubled embeddings either: see `lseg.models.norms`.
4.  Where only these inner products matter, e may be replaced by Q'e with Q orthonormal: with the
    QR decomposition of [W b], that is R x, of F + 1 channels instead of C.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.models.norms import doubled_norms, squared_norms
from lseg.models.upsample import upsample


class AffineMap(NamedTuple):
    """e = weight x + bias, from F to C channels: weight (C, F), bias (C)."""

    weight: Tensor
    bias: Tensor

    def of(self, maps: Tensor) -> Tensor:
        """Maps (B, F, h, w) to (B, C, h, w); not in half precision."""
        with no_autocast(maps):
            if maps.device.type == "cpu":
                return F.conv2d(maps, self.weight[:, :, None, None], self.bias)
            pixels = maps.permute(0, 2, 3, 1)  # on GPUs, products are faster than convolutions
            return F.linear(pixels, self.weight, self.bias).permute(0, 3, 1, 2)


def merge_projections(first: nn.Conv2d, second: nn.Conv2d) -> AffineMap:
    """Two 1x1 convolutions with biases, one after the other, as one map; follows their weights."""
    assert first.bias is not None and second.bias is not None
    inner, outer = (at_least_float32(conv.weight[:, :, 0, 0]) for conv in (first, second))
    with no_autocast(inner):
        bias = outer @ at_least_float32(first.bias) + at_least_float32(second.bias)
        return AffineMap(outer @ inner, bias)


def at_least_float32(values: Tensor) -> Tensor:
    """At least float32: the head is cheap, and its norms and sums need the precision."""
    return values if values.dtype == torch.float64 else values.float()


def no_autocast(values: Tensor) -> torch.autocast:
    """A context in which products of `values` are not brought to half precision."""
    return torch.autocast(values.device.type, enabled=False)


@dataclass(frozen=True)
class PixelEmbeddings:
    """Embeddings e = W x + b of a batch of pictures, not yet computed, at a quarter of their size.

    Attributes:
        features: x, (B, F, h, w).
        projection: W and b, to C channels.
        factor: How many times finer than the features the embeddings are: 2 after DPT's decoder;
            1 where every feature is one of a patch of the picture.
    """

    features: Tensor
    projection: AffineMap
    factor: Literal[1, 2] = 2

    def split(self, counts: Sequence[int]) -> "list[PixelEmbeddings]":
        """Those of so many pictures each, one behind another."""
        if len(counts) == 1:
            return [self]
        return [replace(self, features=part) for part in self.features.split(list(counts))]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of `dense()`."""
        height, width = self.features.shape[-2:]
        return self.factor * height, self.factor * width

    def dense(self) -> Tensor:
        """The embeddings themselves, (B, C, *size), before any division."""
        return upsample(self.projection.of(self.features), self.size)

    @cached_property
    def norms(self) -> Tensor:
        """Norms of `dense()`, (B, 1, *size), at least 1e-12."""
        if self.factor == 1:
            return self.coarse_norms
        return doubled_norms(self._short().of(self.features))

    @cached_property
    def coarse_norms(self) -> Tensor:
        """Norms without the doubling, (B, 1, h, w)."""
        return self._coarse_squares().clamp_min(1e-24).sqrt()

    def kernels(self, text: Tensor) -> AffineMap:
        """Label vectors (N, C) or (B, N, C) as maps from features to dot products.

        The weight is (N, F) or (B, N, F), the bias (N) or (B, N).
        """
        text = at_least_float32(text)
        with no_autocast(text):
            return AffineMap(text @ self.projection.weight, text @ self.projection.bias)

    def _coarse_squares(self) -> Tensor:
        """Squares of `coarse_norms`.

        While the map learns, by its Gram matrix: |W x + b|^2 is a quadratic form of (x, 1), which
        needs neither embeddings nor gradients of C channels.
        """
        short = self._short()
        width = self.features.shape[1]
        if not short.weight.requires_grad or len(short.weight) <= width + 1:
            return squared_norms(short.of(self.features))
        with no_autocast(self.features):
            columns = torch.cat([short.weight, short.bias[:, None]], dim=1)
            gram = columns.T @ columns
            inner, edge, corner = gram[:-1, :-1], gram[:-1, -1], gram[-1, -1]
            pixels = self.features.permute(0, 2, 3, 1)  # (B, h, w, F)
            products = F.linear(pixels, inner, 2 * edge)
            return (products * pixels).sum(dim=-1).unsqueeze(1) + corner

    def _short(self) -> AffineMap:
        """A map with the same inner products and the fewest channels.

        Gradients go through the plain map: that of a QR decomposition needs full rank.
        """
        weight, bias = self.projection
        wide, narrow = weight.shape
        if weight.requires_grad or wide <= narrow + 1 or weight.device.type != "cpu":
            return self.projection
        matrix = torch.linalg.qr(torch.cat([weight, bias[:, None]], dim=1), mode="r").R
        return AffineMap(matrix[:, :-1], matrix[:, -1])
