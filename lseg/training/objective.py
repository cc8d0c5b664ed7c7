"""What training minimises: per-pixel cross-entropy over the labels that a picture is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lseg.data.base.items import SET
from lseg.errors import ConfigError
from lseg.models.loss import dense_losses, mean_of_all, strip_losses
from lseg.models.lseg import LSeg
from lseg.training.candidates import Batch, candidate_rows, candidate_text

STRIDES = (1, 4)


@dataclass(frozen=True)
class LossConfig:
    """How the loss is computed.

    Attributes:
        stride: 1 computes it at full resolution, 4 at the decoder's own grid.
        label_smoothing: Share of the target that is spread over all labels, in [0, 1).
        ignore_index: Mask value that does not count.
    """

    stride: int
    label_smoothing: float
    ignore_index: int

    def __post_init__(self) -> None:
        """Check the stride.

        Raises:
            ConfigError: If there is no such stride.
        """
        if self.stride not in STRIDES:
            raise ConfigError(f"loss_stride is {self.stride}: it must be 1 or 4")


@dataclass(frozen=True)
class AskedSet:
    """A training set as the loss sees it.

    Attributes:
        text: Its label vectors, (N, C).
        class_weights: (N) factors of its labels' pixels, if they do not all weigh the same; one
            more where it asks for the rest.
        rest: Vectors (M, C) of labels of other sets, any of which is right where the mask holds
            N; there are none where it holds no such pixels.
    """

    text: Tensor
    class_weights: Tensor | None = None
    rest: Tensor | None = None

    def with_rest(self, text: Tensor) -> Tensor:
        """Vectors (N, C) and those of the rest behind them."""
        return text if self.rest is None else torch.cat([text, self.rest])

    def sum_rest(self, logits: Tensor) -> Tensor:
        """Logits (B, N + M, h, w) to (B, N + 1, h, w): probabilities of the rest are summed."""
        if self.rest is None:
            return logits
        own, others = logits.split([len(self.text), len(self.rest)], dim=1)
        return torch.cat([own, others.logsumexp(dim=1, keepdim=True)], dim=1)


def batch_loss(net: LSeg, sets: Sequence[AskedSet], batch: Batch, config: LossConfig) -> Tensor:
    """The mean loss over the labelled pixels of a batch, which may be of several sets.

    The pictures go through the trunk together; then those of each set are compared with the labels
    of that set and no others, so the softmax of a picture is over its own set's labels.
    """
    parts = split_batch(batch, sets)
    pixels = net.normalize(batch["image"])
    counts = [len(part["mask"]) for _, part in parts]
    texts = [asked.with_rest(candidate_text(asked.text, part)) for asked, part in parts]
    if config.stride == 1:
        logits = net.logits_of_parts(pixels, counts, texts)
        return mean_of_all([
            strip_losses(maps, _rows(part, config), *_options(asked, config))
            for maps, (asked, part) in zip(logits, parts, strict=True)
        ])  # fmt: skip
    coarse = net.coarse_logits_of_parts(pixels, counts, texts)
    return mean_of_all([
        dense_losses(
            asked.sum_rest(maps), _rows(part, config, maps.shape[-2:]), *_options(asked, config)
        )
        for maps, (asked, part) in zip(coarse, parts, strict=True)
    ])  # fmt: skip


def split_batch(batch: Batch, sets: Sequence[AskedSet]) -> list[tuple[AskedSet, Batch]]:
    """The sets of which a batch has pictures, and these; they stand together (see `collate`)."""
    if SET not in batch:
        return [(sets[0], batch)]
    numbers: list[int] = batch[SET].tolist()
    parts = []
    first = 0
    for number, asked in enumerate(sets):
        last = first + numbers.count(number)
        if last > first:
            parts.append((asked, {name: value[first:last] for name, value in batch.items()}))
        first = last
    return parts


def sample_mask(mask: Tensor, size: Sequence[int]) -> Tensor:
    """The mask (B, H, W) at the pixels where logits of `size` lie (corners aligned)."""
    rows, columns = (
        torch.linspace(0, full - 1, part, device=mask.device).round().long()
        for full, part in zip(mask.shape[-2:], size, strict=True)
    )
    return mask[:, rows][:, :, columns]


def _rows(part: Batch, config: LossConfig, size: Sequence[int] | None = None) -> Tensor:
    """The target: the mask, at the logits' pixels, as indices into the labels asked for."""
    mask = part["mask"] if size is None else sample_mask(part["mask"], size)
    return candidate_rows(mask, part, config.ignore_index)


def _options(asked: AskedSet, config: LossConfig) -> tuple[int, float, Tensor | None]:
    return config.ignore_index, config.label_smoothing, asked.class_weights
