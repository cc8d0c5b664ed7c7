"""Cross-entropy over upsampled logits in the memory of a strip of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from lseg.models.embeddings import AffineMap, at_least_float32, no_autocast
from lseg.models.similarity import PixelLogits, Strip
from lseg.models.strips import picture_groups, row_strips


class PixelLosses(NamedTuple):
    """The losses of many pixels.

    Attributes:
        total: Their sum, a scalar.
        weight: What it is divided by for their mean: how many they are, or their class weights'
            sum; 0 where no pixel is labelled.
    """

    total: Tensor
    weight: Tensor

    def mean(self) -> Tensor:
        """The mean loss; 0, with gradients of 0, where no pixel is labelled."""
        return self.total / torch.where(self.weight > 0, self.weight, 1)


def mean_of_all(parts: Sequence[PixelLosses]) -> Tensor:
    """The mean loss of the pixels of several parts of a batch."""
    totals, weights = zip(*parts, strict=True)
    return PixelLosses(sum(totals[1:], totals[0]), sum(weights[1:], weights[0])).mean()


def strip_losses(
    logits: PixelLogits,
    mask: Tensor,
    ignore_index: int,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> PixelLosses:
    """Cross-entropy over labelled pixels between upsampled logits and a mask.

    Equal to `dense_losses` of the logits at full resolution, and so are its gradients; but of the
    full resolution no more than a strip exists at a time. The loss of a strip is differentiated as
    soon as it is computed, and only its gradients are kept. (The result can be differentiated once,
    not twice.)

    Args:
        logits: Of B pictures, not yet computed.
        mask: (B, H, W), label indices or `ignore_index`.
        ignore_index: Mask value that does not count.
        label_smoothing: Share of the target that is spread over all labels, in [0, 1).
        class_weights: (N) factors of the labels' pixels; the mean is divided by their sum.
    """
    options = _Options(mask, ignore_index, label_smoothing, class_weights)
    half = logits.half
    inputs = (half.features, half.norms, *half.kernels, *half.block.parameters())
    total = _StripLoss.apply(options, logits, *inputs)
    return PixelLosses(total, _weight(mask, ignore_index, class_weights))


def dense_losses(
    logits: Tensor,
    mask: Tensor,
    ignore_index: int,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> PixelLosses:
    """As `strip_losses`, of logits (B, N, H, W) that exist."""
    if logits.is_contiguous(memory_format=torch.channels_last):  # else each would be turned around
        logits, mask = logits.permute(0, 2, 3, 1).flatten(0, 2), mask.flatten()
    total = F.cross_entropy(
        at_least_float32(logits), mask, class_weights, ignore_index=ignore_index,
        label_smoothing=label_smoothing, reduction="sum",
    )  # fmt: skip
    return PixelLosses(total, _weight(mask, ignore_index, class_weights))


def strip_cross_entropy(
    logits: PixelLogits,
    mask: Tensor,
    ignore_index: int,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """The mean of `strip_losses`, a scalar."""
    return strip_losses(logits, mask, ignore_index, label_smoothing, class_weights).mean()


def mean_cross_entropy(
    logits: Tensor,
    mask: Tensor,
    ignore_index: int,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """The mean of `dense_losses`, a scalar."""
    return dense_losses(logits, mask, ignore_index, label_smoothing, class_weights).mean()


def balancing_weights(counts: Tensor, exponent: float) -> Tensor:
    """Class weights (median / count) ** exponent, 1 for classes without pixels.

    With an exponent of 1 that is median-frequency balancing (Eigen and Fergus, ICCV 2015;
    SegNet), with 0.5 its square root, which leaves frequent classes more of their say.

    Args:
        counts: (N) pixels of each class.
        exponent: 0 or more; 0 weighs all classes alike.
    """
    present = counts > 0
    if not present.any():
        return torch.ones(counts.shape)
    weights = (counts[present].median() / counts.clamp_min(1)).pow(exponent)
    return weights.where(present, torch.ones(())).float()


def _weight(mask: Tensor, ignore_index: int, class_weights: Tensor | None) -> Tensor:
    """What a sum over pixels is divided by for the mean."""
    counted = mask != ignore_index
    if class_weights is None:
        return counted.sum()
    return (class_weights[mask.where(counted, 0)] * counted).sum()


class _Options(NamedTuple):
    mask: Tensor
    ignore_index: int
    label_smoothing: float
    class_weights: Tensor | None

    def pictures(self, first: int, last: int) -> "_Options":
        """Those of pictures [first, last)."""
        return self._replace(mask=self.mask[first:last])

    @torch.no_grad()
    def loss(self, logits: Tensor, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """The loss of rows [start, stop), summed over their pixels, and its gradient.

        With p = softmax(logits), smoothing e and class weights w, a pixel of label y costs

            (1 - e) w[y] (-log p[y])  +  e / N sum_c w[c] (-log p[c]).

        (In the memory of one copy of the logits, and three passes fewer than by autograd.)
        """
        count = logits.shape[1]
        mask = self.mask[:, None, start:stop]  # (B, 1, r, W)
        valid = mask != self.ignore_index
        label, counted = mask.where(valid, 0), valid.to(logits.dtype)
        weights = logits.new_ones(count) if self.class_weights is None else self.class_weights
        own = (1 - self.label_smoothing) * weights[label] * counted
        each = self.label_smoothing / count * counted
        log_p = F.log_softmax(logits, dim=1)
        total = -(own * log_p.gather(1, label)).sum()
        if self.label_smoothing:
            total -= (each * torch.einsum("bnhw,n->bhw", log_p, weights)[:, None]).sum()
        gradient = log_p.exp_().mul_(own + each * weights.sum())
        gradient.scatter_add_(1, label, -own)
        if self.label_smoothing:
            gradient -= each * weights[:, None, None]
        return total, gradient


class _StripLoss(torch.autograd.Function):
    """The sum over pixels, and the gradients of every tensor that the logits are made from."""

    @staticmethod
    def forward(ctx: Any, options: _Options, logits: PixelLogits, *inputs: Tensor) -> Tensor:
        needed = ctx.needs_input_grad[2:]
        sums = [torch.zeros_like(tensor) for tensor in inputs]
        norms = logits.half.norms
        total = torch.zeros((), dtype=norms.dtype, device=norms.device)
        with torch.set_grad_enabled(any(needed)), no_autocast(norms):
            for first, last in picture_groups(logits):
                places = _pictures(sums, first, last)
                part = logits.pictures(first, last), options.pictures(first, last)
                total += _add_strips(*part, needed, places)
        wanted = (part for part, need in zip(sums, needed, strict=True) if need)
        ctx.save_for_backward(*wanted)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        grads = iter(ctx.saved_tensors)
        needed = ctx.needs_input_grad[2:]
        return None, None, *(gradient * next(grads) if wanted else None for wanted in needed)


def _add_strips(
    logits: PixelLogits, options: _Options, needed: Sequence[bool], sums: Sequence[Tensor]
) -> Tensor:
    """The loss of some pictures; adds its gradients to `sums`."""
    half = logits.half
    total = torch.zeros_like(half.norms[0, 0, 0, 0])
    for start, stop in row_strips(logits):
        span = logits.span(start, stop)
        strip = half.cut(span.first, span.last)
        leaves = [
            tensor.detach().requires_grad_(wanted)
            for tensor, wanted in zip((*strip[:2], *half.kernels), needed, strict=False)
        ]
        kernels = AffineMap(*leaves[2:])
        strip = strip._replace(features=leaves[0], norms=leaves[1])
        rows = logits.crop(span.upsample(strip.logits(kernels, half.block)))
        loss, gradient = options.loss(rows.detach(), start, stop)
        total += loss
        if any(needed):
            leaves += half.block.parameters()
            _add_gradients(rows, gradient, leaves, _rows(sums, strip))
    return total


def _pictures(sums: Sequence[Tensor], first: int, last: int) -> list[Tensor]:
    """Views of the sums to which the gradients of pictures [first, last) belong."""
    features, norms, weight, bias, *shared = sums
    own = [features, norms]
    if weight.ndim == 3:
        own += [weight, bias]
    else:
        shared = [weight, bias, *shared]
    return [*(tensor[first:last] for tensor in own), *shared]


def _rows(sums: Sequence[Tensor], strip: Strip) -> list[Tensor]:
    """Views of the sums to which the gradients of a strip belong."""
    features, norms, *shared = sums
    span = strip.span
    return [
        features[:, :, span.first : span.last],
        norms[:, :, span.start : span.stop],
        *shared,
    ]


@torch.no_grad()
def _add_gradients(
    rows: Tensor, gradient: Tensor, leaves: Sequence[Tensor], places: Sequence[Tensor]
) -> None:
    wanted = [index for index, leaf in enumerate(leaves) if leaf.requires_grad]
    grads = torch.autograd.grad(rows, [leaves[index] for index in wanted], gradient)
    for index, grad in zip(wanted, grads, strict=True):
        places[index].add_(grad)
