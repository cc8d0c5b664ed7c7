"""Optimizers and learning-rate schedules. Learning rates are what the configuration says."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from lseg.errors import ConfigError

LARGEST_RATE = 1e6
"""Beyond it the first step leaves nothing of the weights, and float32 soon ends."""


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
            (cosine), `constant` stays. All by optimizer step, over the total of the run: one that
            is resumed with more steps or epochs goes on at the rates of the longer run. LSeg's own
            recipe lets `poly` fall by epoch; at the first step of an epoch both agree.
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
        fastest = self.lr * max(1.0, self.decoder_factor)
        if fastest > LARGEST_RATE:
            raise ConfigError(
                f"a learning rate of {fastest:g} (lr, or lr times decoder_factor) trains nothing: "
                f"give less than {LARGEST_RATE:g}, such as 0.004 for SGD"
            )


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


class StepSchedule(LRScheduler):
    """Learning rates, and momenta where they vary, in closed form of the optimizer step.

    All that a checkpoint keeps of it is the step. A resumed run goes on with the rates that its own
    configuration has for that step, so that it may be longer, or learn at another rate.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        rate: Callable[[int], float],
        momentum: Callable[[int], float] | None = None,
    ) -> None:
        """Sets the rates of step 0.

        Args:
            optimizer: Its groups hold the rates that `rate` scales.
            rate: Factor of every group's learning rate at a step.
            momentum: SGD's momentum, or AdamW's first beta, at a step; by default it stays.
        """
        self.rate = rate
        self.momentum = momentum
        super().__init__(optimizer)
        self._show()

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate of each group at the current step."""
        return [base * self.rate(self.last_epoch) for base in self.base_lrs]

    def step(self, epoch: int | None = None) -> None:
        """To the next optimizer step."""
        super().step(epoch)
        self._show()

    def state_dict(self) -> dict[str, Any]:
        """The step."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes to the step that a scheduler of any kind was at, and sets that step's rates."""
        self.last_epoch = state_dict["last_epoch"]
        self._show()

    def _show(self) -> None:
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate
            if self.momentum is not None:
                momentum = self.momentum(self.last_epoch)
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum


def build_schedule(
    config: OptimConfig, optimizer: torch.optim.Optimizer, steps: int
) -> StepSchedule:
    """The schedule over `steps` optimizer steps, the total of a run and of those it resumes."""
    if config.schedule == "onecycle":
        # PyTorch's OneCycleLR with its defaults. A rise of one step would divide by zero.
        rise = max(config.warmup or 0.3, min(0.9, 2 / steps)) * steps - 1

        def between(step: int, start: float, peak: float, end: float) -> float:
            if step <= rise:
                return _cosine(start, peak, step / rise)
            return _cosine(peak, end, min(1.0, (step - rise) / (steps - 1 - rise)))

        return StepSchedule(
            optimizer,
            lambda step: between(step, 1 / 25, 1.0, 1 / 25e4),
            lambda step: between(step, 0.95, 0.85, 0.95),
        )
    warmup = round(config.warmup * steps)

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / (warmup + 1))
        if config.schedule == "constant":
            return rise
        return rise * max(0.0, 1 - step / steps) ** config.power

    return StepSchedule(optimizer, factor)


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * part) + 1)
