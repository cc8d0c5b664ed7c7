"""Training steps of a decoder on a ViT-S/14 that learns, has adaptors, or stays as it is."""

import itertools
from collections.abc import Callable

import torch
from benchmark_networks import Contender, Settings

from lseg.config import LSegConfig, TrunkConfig
from lseg.paths import resolve_data_path
from lseg.text.table import LabelTable
from lseg.training.lora import LoraConfig
from lseg.training.module import LSegModule
from lseg.training.objective import AskedSet, LossConfig, batch_loss
from lseg.training.optim import build_optimizer

SIDE = 224
BATCH = 4
TABLE = "clip_text/openai_vitb32.safetensors"  # under LSEG_DATA
NETWORK = LSegConfig(
    TrunkConfig(
        "vit_small_patch14_dinov2",
        {"img_size": 518},
        (2, 5, 8, 11),
        (48, 96, 192, 384),
        "project",
        32,
    )
)


def frozen_case(settings: Settings) -> list[Contender]:
    """A step by how much of the backbone learns: loss at a quarter of the resolution, SGD."""
    base = "the backbone learns"
    return [
        Contender(base, frozen_step(settings)),
        Contender("LoRA of rank 8", frozen_step(settings, lora=LoraConfig()), base),
        Contender("freeze_backbone: true", frozen_step(settings, freeze_backbone=True), base),
    ]


def frozen_step(
    settings: Settings, freeze_backbone: bool = False, lora: LoraConfig | None = None
) -> Callable[[], float]:
    """A step of training on noise, as a function that gives its loss; weights begin alike."""
    torch.manual_seed(0)
    module = LSegModule(NETWORK, freeze_backbone=freeze_backbone, lora=lora)
    net = module.net.to(settings.device, memory_format=torch.channels_last).train()
    optimizer = build_optimizer(module.optim, net.trunk.backbone, net)
    table = LabelTable(resolve_data_path(TABLE))
    text = torch.stack([*itertools.islice(table.vectors.values(), 133)]).to(settings.device)
    noise = torch.Generator().manual_seed(1)
    size = (BATCH, SIDE, SIDE)
    batch = {
        "image": torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), generator=noise),
        "mask": torch.randint(0, len(text), size, generator=noise),
    }
    batch = {name: value.to(settings.device) for name, value in batch.items()}
    loss_config = LossConfig(stride=4, label_smoothing=0.0, ignore_index=255)

    def step() -> float:
        optimizer.zero_grad()
        loss = batch_loss(net, [AskedSet(text)], batch, loss_config)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
