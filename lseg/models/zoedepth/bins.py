"""ZoeDepth's metric head: bins of depth that move from coarse to fine, and a mixture of them.

Names are the paper's (Bhat et al., arXiv:2302.12288, section 3): seeds at the coarsest level,
points that attract them at each finer one, and a binomial distribution over the bins in their
order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import ZoeDepthConfig
from lseg.models.upsample import upsample

STRENGTH = 300.0
"""Of the attraction, in every published network, whatever its configuration says (its exponent is
2); so does the library of transformers."""
SMALL = 1e-4
"""Keeps shares from 0."""


def perceptron(width: int, hidden: int, out: int, activation: type[nn.Module]) -> nn.Sequential:
    """Two 1x1 convolutions, and `activation` between."""
    return nn.Sequential(nn.Conv2d(width, hidden, 1), activation(), nn.Conv2d(hidden, out, 1))


class Form(NamedTuple):
    """In what heads for one domain and for several differ, beside the router.

    Attributes:
        seeds: Width inside the perceptron of seeds.
        embed: Width inside those that embed features.
        narrowing: Of the distribution's perceptron: its input by its inner width.
        sees_depth: Whether the distribution sees the relative depth.
    """

    seeds: int
    embed: int
    narrowing: int
    sees_depth: bool


def form_of(config: ZoeDepthConfig) -> Form:
    """The form that all published networks have."""
    if len(config.domains) == 1:
        return Form(256, 128, narrowing=2, sees_depth=True)
    return Form(config.embedding // 2, config.embedding // 2, narrowing=4, sees_depth=False)


class Domain(nn.Module):
    """What one kind of scene has for its own: seeds, attractors, distribution."""

    def __init__(self, config: ZoeDepthConfig, form: Form) -> None:
        """Random weights."""
        super().__init__()
        features, width = config.trunk.features, config.embedding
        self.seeds = perceptron(features, form.seeds, config.domain_bins, nn.ReLU)
        self.attractors = nn.ModuleList(
            perceptron(width, width, count, nn.ReLU) for count in config.attractors
        )
        seen = config.hidden + form.sees_depth + width
        self.shares = perceptron(seen, seen // form.narrowing, 4, nn.GELU)
        self.temperatures = config.coldest, config.hottest

    def start(self, start: Tensor) -> Tensor:
        """The coarsest features (B, F, h, w) to depths of bins (B, K, h, w), above 0."""
        return F.softplus(self.seeds(start))

    def move(self, depths: Tensor, block: int, embedding: Tensor) -> Tensor:
        """Depths of bins on the next grid, drawn to the points that its embedding tells."""
        points = F.softplus(self.attractors[block](embedding))  # (B, A, h, w)
        depths = upsample(depths, points.shape[-2:])
        pull = torch.zeros_like(depths)
        for point in points.split(1, dim=1):
            away = point - depths
            pull = pull + away / (1 + STRENGTH * away.square())
        return depths + pull / points.shape[1]

    def mix(self, depths: Tensor, condition: Tensor) -> Tensor:
        """The mean of the bins under each pixel's distribution.

        Args:
            depths: (B, K, h, w).
            condition: What tells the distribution, (B, condition + embedding, h, w).

        Returns:
            (B, 1, h, w).
        """
        shares = F.softplus(self.shares(condition)) + SMALL
        place, heat = (pair[:, :1] / pair.sum(1, keepdim=True) for pair in shares.split(2, dim=1))
        coldest, hottest = self.temperatures
        chances = log_binomial(place, depths.shape[1]) / ((hottest - coldest) * heat + coldest)
        return (chances.softmax(dim=1) * depths).sum(1, keepdim=True)


def log_binomial(chance: Tensor, count: int) -> Tensor:
    """Logarithms of the binomial distribution over 0 to `count` - 1 successes, by Stirling.

    Args:
        chance: Of a success, (B, 1, h, w).
        count: How many outcomes there are.

    Returns:
        (B, count, h, w).
    """
    tiny = 1e-7
    trials = torch.tensor(count - 1.0, device=chance.device)
    hits = torch.arange(count, device=chance.device, dtype=chance.dtype).view(-1, 1, 1)
    n, k = trials + tiny, hits + tiny
    ways = n * n.log() - k * k.log() - (n - k) * (n - k + tiny).log()
    failure = (1 - chance).clamp(SMALL, 1.0)
    return ways + hits * chance.clamp(SMALL, 1.0).log() + (trials - hits) * failure.log()


class MetricBins(nn.Module):
    """Depth in metres, out of what a DPT for relative depth has on its way."""

    def __init__(self, config: ZoeDepthConfig) -> None:
        """Random weights."""
        super().__init__()
        features, width, form = config.trunk.features, config.embedding, form_of(config)
        self.entrance = nn.Conv2d(features, features, 1)
        self.embed_start = perceptron(features, form.embed, width, nn.ReLU)
        self.embed = nn.ModuleList(
            perceptron(features, form.embed, width, nn.ReLU) for _ in config.attractors
        )
        self.sees_depth = form.sees_depth
        self.domains = nn.ModuleList(Domain(config, form) for _ in config.domains)

    def forward(
        self, start: Tensor, blocks: Sequence[Tensor], refined: Tensor, relative: Tensor
    ) -> list[Tensor]:
        """Depth in metres (B, 1, H, W) for each domain.

        Args:
            start: `entrance` of the coarsest level, (B, F, h, w).
            blocks: Features after each fusion block, upsampled: (B, F, 2h, 2w) and so on.
            refined: (B, hidden, H, W) before the last convolution of the relative head.
            relative: Its answer, (B, 1, H, W).
        """
        size = refined.shape[-2:]
        before, embeddings, moves = self.embed_start(start), [], []
        for embed, features in zip(self.embed, blocks, strict=True):
            embeddings.append(embed(features))
            moves.append(embeddings[-1] + upsample(before, features.shape[-2:]))
            before = embeddings[-1]
        told = [refined, relative] if self.sees_depth else [refined]
        condition = torch.cat([*told, upsample(before, size)], dim=1)
        return [self._depth(domain, start, moves, condition) for domain in self.domains]

    def _depth(
        self, domain: nn.Module, start: Tensor, moves: Sequence[Tensor], condition: Tensor
    ) -> Tensor:
        assert isinstance(domain, Domain)
        depths = domain.start(start)
        for block, embedding in enumerate(moves):
            depths = domain.move(depths, block, embedding)
        return domain.mix(upsample(depths, condition.shape[-2:]), condition)
