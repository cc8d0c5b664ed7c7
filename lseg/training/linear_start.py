"""A decoder that starts as a linear probe of a pretrained backbone (Kumar et al., ICLR 2022).

Fine-tuning from a random decoder distorts what a backbone knows (arXiv:2202.10054), and a decoder
that learns from eight pictures at a time learns less than linear maps of the backbone's levels that
learn from random pixels of thousands. DPT's decoder can be such a map: its residual units are left
out, each level goes through one kernel, and all are added. So it starts there.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from lseg.data.base.items import SET
from lseg.errors import ConfigError, DataError
from lseg.models.loss import dense_losses, mean_of_all
from lseg.models.lseg import LSeg
from lseg.models.reassemble import TakeMap, TakeMapInContext, picture_mean
from lseg.models.trunk import Trunk, pad_to_multiple
from lseg.models.upsample import upsample
from lseg.training.candidates import Batch
from lseg.training.objective import AskedSet, LossConfig, sample_mask


@dataclass(frozen=True)
class LinearStart:
    """How the linear maps are fitted, by AdamW on a falling cosine.

    Attributes:
        batches: Training batches whose pixels are remembered, in float16: of eight pictures of 256
            x 256 pixels and an EfficientNet 3.7 MB each.
        steps: Of the fit.
        pixels: Of each step, drawn from all that are remembered.
        lr: Learning rate at the first step.
        weight_decay: Of the maps.
        dropout: Share of the backbone's channels that a pixel is without.
    """

    batches: int = 400
    steps: int = 600
    pixels: int = 2048
    lr: float = 2e-3
    weight_decay: float = 0.1
    dropout: float = 0.2

    def __post_init__(self) -> None:
        """Refuses values out of range.

        Raises:
            ConfigError: If there are any.
        """
        counts = (self.batches, self.steps, self.pixels)
        if min(counts) < 1 or self.lr <= 0 or self.weight_decay < 0 or not 0 <= self.dropout < 1:
            raise ConfigError(
                "linear_start: batches, steps and pixels must be at least 1, lr above 0, "
                f"weight_decay 0 or more, dropout in [0, 1); given is {self}"
            )


def start_linear(
    net: LSeg,
    sets: Sequence[AskedSet],
    batches: Iterator[Batch],
    loss: LossConfig,
    config: LinearStart,
) -> None:
    """Gives the decoder and the projection to embeddings the weights of fitted linear maps.

    Args:
        net: Whose backbone has its pretrained weights; it is left in evaluation mode.
        sets: What the pictures are asked for.
        batches: Endless, of training.
        loss: What the fit minimises, at the grid of the second coarsest level.
        config: Of the fit.

    Raises:
        ConfigError: If the backbone does not give feature maps, or batches ask each picture for
            labels of its own.
        DataError: If they hold no labelled pixel.
    """
    if not all(isinstance(step, TakeMap) for step in net.trunk.reassemble):
        raise ConfigError(
            "linear_start is for image encoders that give feature maps, such as convolutional "
            f"ones; {net.config.trunk.backbone} gives tokens: leave it out"
        )
    net.eval()
    seen = tqdm(itertools.islice(batches, config.batches), "linear start", config.batches)
    pixels = Pixels.cat([_look(net, batch, loss.ignore_index) for batch in seen])
    if not len(pixels.values):
        raise DataError(f"linear_start: no pixel of {config.batches} training batches has a label")
    probe = Probe(pixels, net.config.trunk.features, net.config.embed_dim, config.dropout)
    probe.to(pixels.values.device)
    optimizer = torch.optim.AdamW(probe.parameters(), config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    for _ in tqdm(range(config.steps), "linear fit"):
        drawn = torch.randint(len(pixels.values), (config.pixels,), device=pixels.values.device)
        value = _loss(probe, pixels.of(drawn), sets, net.config.logit_scale, loss)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
    probe.eval().give(net)


class Pixels(NamedTuple):
    """Pixels of the grid of the second coarsest level.

    Attributes:
        values: (P, D) float16 of all levels, of the coarsest one's mean around, and of its mean
            over the picture where the decoder has that.
        target: (P) rows of the labels of their set.
        number: (P) of their set.
    """

    values: Tensor
    target: Tensor
    number: Tensor

    @classmethod
    def cat(cls, parts: "Sequence[Pixels]") -> "Pixels":
        """All of them."""
        return cls(*(torch.cat(list(values)) for values in zip(*parts, strict=True)))

    def of(self, rows: Tensor) -> "Pixels":
        """Some of them."""
        return Pixels(*(values[rows] for values in self))


class Probe(nn.Module):
    """Standardised values to F channels and on to C, both linear."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, pixels: Pixels, features: int, width: int, dropout: float) -> None:
        super().__init__()
        sample = pixels.values[:: max(1, len(pixels.values) // 100_000)].float()
        self.register_buffer("mean", sample.mean(0))
        self.register_buffer("deviation", sample.std(0) + 1e-3)
        self.dropout = nn.Dropout(dropout)
        self.narrow = nn.Linear(sample.shape[1], features)
        self.project = nn.Linear(features, width)

    def forward(self, values: Tensor) -> Tensor:
        """(P, D) to embeddings (P, C), of any norm."""
        values = (values.float() - self.mean) / self.deviation
        return self.project(self.narrow(self.dropout(values)))

    @torch.no_grad()
    def give(self, net: LSeg) -> None:
        """Makes the decoder of a network compute what this does, without dropout."""
        weight = self.narrow.weight / self.deviation
        bias = self.narrow.bias - weight @ self.mean
        fusion = net.trunk.fusion
        convs = cast("list[nn.Conv2d]", list(fusion.level_convs))
        levels = [conv.in_channels for conv in convs]
        weight, beside = weight.split([sum(levels), weight.shape[1] - sum(levels)], dim=1)
        around, *whole = beside.split(levels[-1], dim=1)
        for conv, part in zip(convs, weight.split(levels, dim=1), strict=True):
            conv.weight.zero_()
            conv.weight[:, :, 1, 1] = part
        convs[-1].weight += around[:, :, None, None] / 9
        coarsest = net.trunk.reassemble[-1]
        if isinstance(coarsest, TakeMapInContext):
            coarsest.context.weight.copy_(whole[0])
        fusion.become_sum(bias)
        net.project.weight.copy_(self.project.weight[:, :, None, None])
        net.project.bias.copy_(self.project.bias)  # type: ignore[union-attr]


@torch.no_grad()
def _look(net: LSeg, batch: Batch, ignore_index: int) -> Pixels:
    """The labelled pixels of a batch."""
    if "candidates" in batch:
        raise ConfigError("linear_start is for sets of one list of labels: leave it out")
    padded, _ = pad_to_multiple(net.normalize(batch["image"].to(net.device)), net.trunk.multiple)
    values = _values(net.trunk, padded)
    mask = batch["mask"].to(net.device)
    target = sample_mask(mask, values.shape[-2:])
    number = batch.get(SET, mask.new_zeros(len(mask))).to(net.device)
    number = number[:, None, None].expand_as(target)
    labelled = target != ignore_index
    return Pixels(values.permute(0, 2, 3, 1)[labelled].half(), target[labelled], number[labelled])


def _values(trunk: Trunk, pixels: Tensor) -> Tensor:
    """What the levels of normalised pixels have at the grid of the second coarsest, (B, D, h, w).

    Brought there as the decoder would, finer ones by their mean; then the mean of the 3 x 3 pixels
    around of the coarsest, which counts pixels beyond the edge as 0, as its 3 x 3 kernel does, and
    its mean over the picture where the decoder has that.
    """
    *finer, coarsest = [level.map for level in trunk.backbone(pixels)]
    size = finer[-1].shape[-2:]
    coarse = [coarsest, F.avg_pool2d(coarsest, 3, stride=1, padding=1)]
    if isinstance(trunk.reassemble[-1], TakeMapInContext):
        coarse.append(picture_mean(coarsest)[:, :, None, None].expand_as(coarsest))
    upsampled = upsample(torch.cat(coarse, dim=1), size)
    return torch.cat([*(F.adaptive_avg_pool2d(x, size) for x in finer), upsampled], dim=1)


def _loss(
    probe: Probe, pixels: Pixels, sets: Sequence[AskedSet], scale: float, loss: LossConfig
) -> Tensor:
    embeddings = F.normalize(probe(pixels.values), dim=1)
    parts = []
    for number, asked in enumerate(sets):
        own = pixels.number == number
        text = F.normalize(asked.with_rest(asked.text), dim=1)
        logits = asked.sum_rest(scale * (embeddings[own] @ text.T)[:, :, None, None])
        target = pixels.target[own][:, None, None]
        options = (loss.ignore_index, loss.label_smoothing, asked.class_weights)
        parts.append(dense_losses(logits, target, *options))
    return mean_of_all(parts)
