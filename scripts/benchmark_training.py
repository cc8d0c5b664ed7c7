"""Training steps: the text encoder in the graph and out of it; throughput of a whole recipe."""

import copy
from collections.abc import Callable
from itertools import product

import torch
from benchmark_networks import (
    Contender,
    Settings,
    count_flops,
    inference,
    network,
    pixels,
    plain,
    plain_network,
    vectors,
)
from torch import Tensor

from lseg.models.acceleration import TrainingPrecision, prepare_training, round_float32
from lseg.models.loss import mean_cross_entropy, strip_cross_entropy
from lseg.models.strips import label_map
from lseg.training.optim import OptimConfig, build_optimizer

TEXT_CONTEXT = 77
LABELS = 150
PRECISIONS: tuple[TrainingPrecision, ...] = ("fp32", "tf32", "bf16")


def train_step(settings: Settings, labels: int, text_inside: bool) -> Callable[[], object]:
    """Forward and backward of ViT-B/32, batch 2."""
    model = (
        plain_network("vitb32", settings.device)
        if text_inside
        else network("vitb32", settings.device)
    )
    model = copy.deepcopy(model).train()
    picture = pixels(settings, 2)
    mask = masks(settings, 2, labels)
    if not text_inside:
        text = vectors(labels, settings)
        return lambda: strip_cross_entropy(model.logits(picture, text), mask, 255).backward()
    import open_clip

    clip = open_clip.create_model("ViT-B-32-quickgelu").to(settings.device)
    tokens = torch.randint(1, 49000, (labels, TEXT_CONTEXT), device=settings.device)

    def step() -> object:
        text = clip.encode_text(tokens, normalize=True)
        return mean_cross_entropy(plain.logits(model, picture, text), mask, 255).backward()

    return step


def train_case(settings: Settings) -> list[Contender]:
    """A training step of ViT-B/32, batch 2, 150 labels."""
    base = "plain formula, text encoder in the graph"
    return [
        Contender(base, train_step(settings, 150, text_inside=True)),
        Contender("ours", train_step(settings, 150, text_inside=False), base),
    ]


def masks(settings: Settings, batch: int, labels: int) -> Tensor:
    """Random masks (B, H, W)."""
    return torch.randint(0, labels, (batch, settings.size, settings.size), device=settings.device)


def throughput_case(settings: Settings) -> list[Contender]:
    """Label maps and training steps of a batch, by precision, eager and compiled; 150 labels."""
    return [
        kind(settings, precision, compiled)
        for kind in (inference_of, training_of)
        for precision, compiled in product(PRECISIONS, (False, True))
    ]


def inference_of(settings: Settings, precision: TrainingPrecision, compiled: bool) -> Contender:
    """Label maps of a batch."""
    model = network(settings.preset, settings.device, precision, compiled)
    picture, text = pixels(settings, settings.batch), vectors(LABELS, settings)
    call = in_precision(precision, inference(lambda: label_map(model.logits(picture, text))))
    name, base = (f"inference, {kind}" for kind in (_name(precision, compiled), "fp32"))
    exact = network(settings.preset, settings.device)
    flops = count_flops(inference(lambda: label_map(exact.logits(picture, text))))
    return Contender(name, call, base, flops, precision, settings.batch)


def training_of(settings: Settings, precision: TrainingPrecision, compiled: bool) -> Contender:
    """A step of LSeg's recipe: forward, loss at full resolution, backward, SGD."""
    model = copy.deepcopy(network(settings.preset, settings.device)).train()
    optimizer = build_optimizer(OptimConfig(), model.trunk.backbone, model)
    picture, text = pixels(settings, settings.batch), vectors(LABELS, settings)
    mask = masks(settings, settings.batch, LABELS)

    def step() -> None:
        optimizer.zero_grad()
        strip_cross_entropy(model.logits(picture, text), mask, 255).backward()
        optimizer.step()

    flops = count_flops(step)
    prepare_training(model, precision, compiled)
    name, base = (f"training, {kind}" for kind in (_name(precision, compiled), "fp32"))
    return Contender(name, in_precision(precision, step), base, flops, precision, settings.batch)


def in_precision(precision: TrainingPrecision, call: Callable[[], object]) -> Callable[[], object]:
    """The call with float32 products rounded where TF32 is asked for, and only there."""

    def run() -> object:
        round_float32(precision == "tf32")
        return call()

    return run


def _name(precision: TrainingPrecision, compiled: bool) -> str:
    return f"{precision} compiled" if compiled else precision
