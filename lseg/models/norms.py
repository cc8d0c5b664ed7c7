"""Norms of pixel embeddings at twice their resolution, without embeddings of that resolution.

Bilinear interpolation mixes neighbours a and b along one axis, and

    |(1 - s) a + s b|^2 = (1 - s) |a|^2 + s |b|^2 - s (1 - s) |a - b|^2,

while the differences of rows are interpolated along the other axis by the same identity. So four
maps of squared norms hold all that is needed: of the embeddings, of their differences across and
down, and of the differences of those.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lseg.models.upsample import Axis, double_axis


class SquaredNorms(NamedTuple):
    """Squared norms: of a map (B, 1, h, w), and of its differences across, down, and both."""

    own: Tensor
    across: Tensor
    down: Tensor
    both: Tensor


def doubled_norms(embeddings: Tensor) -> Tensor:
    """Norms of `double(embeddings)` without doubling them.

    Args:
        embeddings: (B, C, h, w), h and w at least 2.

    Returns:
        (B, 1, 2h, 2w), at least 1e-12. (Can be differentiated once, not twice.)
    """
    maps = (
        _Squares.apply(embeddings)
        if embeddings.requires_grad
        else squared_difference_norms(embeddings)
    )
    own, across, down, both = maps
    height, width = embeddings.shape[-2:]
    rows, columns = double_axis(height, embeddings), double_axis(width, embeddings)
    own = _mix(own, across, columns, dim=3)
    down = _mix(down, both, columns, dim=3)
    return _mix(own, down, rows, dim=2).clamp_min(1e-24).sqrt()


def squared_norms(maps: Tensor) -> Tensor:
    """(B, C, h, w) to (B, 1, h, w)."""
    return torch.linalg.vector_norm(maps, dim=1, keepdim=True).square()


def squared_difference_norms(embeddings: Tensor) -> SquaredNorms:
    """Those of embeddings (B, C, h, w)."""
    down = embeddings.diff(dim=2)
    maps = (embeddings, embeddings.diff(dim=3), down, down.diff(dim=3))
    return SquaredNorms(*(squared_norms(each) for each in maps))


class _Squares(torch.autograd.Function):
    """`squared_difference_norms`, whose gradient keeps no differences and takes them in place."""

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor) -> SquaredNorms:
        ctx.save_for_backward(embeddings)
        return squared_difference_norms(embeddings)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (embeddings,) = ctx.saved_tensors
        own, across, down, both = (2 * gradient for gradient in gradients)
        result = embeddings * own
        _add_differences(result, embeddings.diff(dim=3).mul_(across), dim=3)
        step = embeddings.diff(dim=2)
        corner = step.diff(dim=3).mul_(both)
        _add_differences(step.mul_(down), corner, dim=3)
        _add_differences(result, step, dim=2)
        return result


def _add_differences(result: Tensor, gradient: Tensor, dim: int) -> None:
    """Adds the gradient of a difference to those of its two sides."""
    count = gradient.shape[dim]
    result.narrow(dim, 1, count).add_(gradient)
    result.narrow(dim, 0, count).sub_(gradient)


def _mix(own: Tensor, differences: Tensor, axis: Axis, dim: int) -> Tensor:
    """(1 - s) |a|^2 + s |b|^2 - s (1 - s) |a - b|^2 along one dimension."""
    share = axis.share if dim == 3 else axis.share[:, None]
    correction = share * (1 - share) * differences.index_select(dim, axis.source)
    return axis.mix(own, dim) - correction
