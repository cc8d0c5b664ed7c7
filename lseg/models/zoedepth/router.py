"""Which kind of scene a picture shows, told from the coarsest features."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import RouterConfig


class Router(nn.Module):
    """A transformer over the coarsest grid; a token of its own gathers the picture."""

    def __init__(self, features: int, domains: int, config: RouterConfig) -> None:
        """Random weights; `features` are the channels that it sees."""
        super().__init__()
        self.embed = nn.Conv2d(features, config.width, 1)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(config.width, config.heads, config.hidden, batch_first=True)
            for _ in range(config.layers)
        )
        self.classify = nn.Sequential(
            nn.Linear(config.width, config.width), nn.ReLU(), nn.Linear(config.width, domains)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, F, h, w) to logits of the domains, (B, D)."""
        tokens = self.embed(features).flatten(2).transpose(1, 2)
        tokens = F.pad(tokens, (0, 0, 1, 0))
        tokens = tokens + positions(tokens.shape[1], tokens.shape[2], tokens.device)
        for block in self.blocks:
            tokens = block(tokens)
        return self.classify(tokens[:, 0])


def positions(length: int, width: int, device: torch.device) -> Tensor:
    """Sines, then cosines, of places in a row: (length, width)."""
    place = torch.arange(length, device=device, dtype=torch.float32)[:, None]
    index = torch.arange(0, width, 2, device=device, dtype=torch.float32)
    angle = place * torch.exp(index * (-math.log(10000.0) / width))
    return torch.cat([angle.sin(), angle.cos()], dim=1)
