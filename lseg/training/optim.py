"""Optimizers and learning-rate schedules. Learning rates are what the configuration says."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from lseg.errors import ConfigError


@dataclass(frozen=True)
class OptimConfig:
    """The defaults are LSeg's supervised recipe, at its own batch size of 16.

    Attributes:
        name: SGD with momentum, or AdamW.
        lr: Learning rate of the backbone (the peak, where the schedule warms up).
        decoder_factor: The decoder's learning rate over the backbone's.
        weight_decay: Of all parameters.
        momentum: Of SGD, or AdamW's first beta.
        schedule: `poly` falls as (1 - step / steps) ** power, `onecycle` is PyTorch's OneCycleLR
            (cosine), `constant` stays. All by optimizer step.
        power: Exponent of `poly`.
        warmup: Fraction of the steps over which the learning rate rises.
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.004
    decoder_factor: float = 10.0
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: Literal["poly", "onecycle", "constant"] = "poly"
    power: float = 0.9
    warmup: float = 0.0

    def __post_init__(self) -> None:
        """Refuses values out of range."""
        if not (self.lr > 0 and self.decoder_factor > 0 and 0 <= self.warmup < 1):
            raise ConfigError("lr and decoder_factor must be positive, warmup in [0, 1)")


def build_optimizer(
    config: OptimConfig, backbone: nn.Module, network: nn.Module
) -> torch.optim.Optimizer:
    """One parameter group for `backbone`, one for the rest of `network` (the decoder)."""
    inside = {id(parameter) for parameter in backbone.parameters()}
    decoder = [p for p in network.parameters() if id(p) not in inside and p.requires_grad]
    encoder = [p for p in backbone.parameters() if p.requires_grad]
    groups = [
        {"params": encoder, "lr": config.lr, "name": "backbone"},
        {"params": decoder, "lr": config.lr * config.decoder_factor, "name": "decoder"},
    ]
    groups = [group for group in groups if group["params"]]
    decay = config.weight_decay
    fused = all(p.device.type in ("cpu", "cuda") for p in network.parameters())
    if config.name == "sgd":
        return torch.optim.SGD(groups, config.lr, config.momentum, weight_decay=decay, fused=fused)
    betas = (config.momentum, 0.999)
    return torch.optim.AdamW(groups, config.lr, betas, weight_decay=decay, fused=fused)


def build_schedule(
    config: OptimConfig, optimizer: torch.optim.Optimizer, steps: int
) -> LRScheduler:
    """The schedule over `steps` optimizer steps."""
    if config.schedule == "onecycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        rise = max(config.warmup or 0.3, min(0.9, 2 / steps))  # a rise of one step divides by zero
        return OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=rise)
    warmup = round(config.warmup * steps)

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / (warmup + 1))
        if config.schedule == "constant":
            return rise
        return rise * max(0.0, 1 - step / steps) ** config.power

    return LambdaLR(optimizer, factor)
