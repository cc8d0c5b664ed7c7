"""Weights that are computed from other weights: kept for as long as those stay as they are."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

ResultT = TypeVar("ResultT")


class DerivedWeights(Generic[ResultT]):
    """What `compute` makes of some weights, computed anew when one of them changes.

    It is no part of the state dict, and copies of a network start without it. A change is noticed
    by PyTorch's version counters, or because a weight lies elsewhere in memory; writing through
    `.data` or `.numpy()` is the one way to change a weight that nobody can notice.
    """

    def __init__(self, compute: Callable[..., ResultT]) -> None:
        """`compute(*weights, dtype)`, a function of a module, without a state of its own."""
        self._compute = compute
        self._kept: _Kept | None = None

    def __call__(self, *weights: Tensor, dtype: torch.dtype) -> ResultT:
        """`compute(*weights, dtype)`, or what that gave the last time."""
        kept = self._kept  # read once: another thread may replace it
        if kept is None or not kept.holds_for(weights, dtype):
            with torch.no_grad(), torch.autocast(weights[0].device.type, enabled=False):
                result = self._compute(*weights, dtype)
            sources = [weight.detach() for weight in weights]
            kept = _Kept(result, dtype, sources, [weight._version for weight in weights])
            self._kept = kept
        return kept.result

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles leave the result behind."""
        return type(self), (self._compute,)


class _Kept(NamedTuple):
    """A result and what it was made from; holding the sources keeps their memory from reuse."""

    result: Any
    dtype: torch.dtype
    sources: list[Tensor]
    versions: list[int]

    def holds_for(self, weights: tuple[Tensor, ...], dtype: torch.dtype) -> bool:
        return dtype == self.dtype and all(
            weight.data_ptr() == source.data_ptr() and weight._version == version
            for weight, source, version in zip(weights, self.sources, self.versions, strict=True)
        )


def can_derive(*weights: Tensor | None) -> bool:
    """Whether a forward pass may use derived weights: nothing differentiates or records it.

    Weights that were made in inference mode have no version counters, so they are left alone.
    """
    return (
        not torch.is_grad_enabled()
        and not torch.compiler.is_exporting()
        and not any(weight is not None and weight.is_inference() for weight in weights)
    )


def product_dtype(x: Tensor) -> torch.dtype:
    """The type in which a product with `x` is computed, autocast considered."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
