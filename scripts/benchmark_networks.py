"""What the cases of `benchmark.py` are put together from: networks, inputs, contenders."""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.config import LSegConfig
from lseg.models.acceleration import TrainingPrecision, accelerate
from lseg.models.lseg import LSeg

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))
import plain  # the published formula, the tests' oracle


@dataclass(frozen=True)
class Settings:
    """Preset and input size of the networks, rounds of each timing, the device, and the batch.

    (The batch is that of `throughput`; other cases have batches of their own.)
    """

    preset: str
    size: int
    rounds: int
    device: str
    batch: int = 16


@dataclass(frozen=True)
class Contender:
    """Something that is timed.

    Attributes:
        name: What the table calls it.
        call: Does it once.
        base: Name of the contender that it is compared with.
        flops: Operations of its matrix products.
        precision: In which those are computed.
        images: Pictures that a call takes; where given, throughput and memory are reported.
    """

    name: str
    call: Callable[[], object]
    base: str | None = None
    flops: float | None = None
    precision: TrainingPrecision = "fp32"
    images: int | None = None


@functools.cache
def plain_network(preset: str, device: str) -> LSeg:
    """The same weights for the published formula."""
    return plain.model(network(preset, device))


@functools.cache
def network(
    preset: str, device: str, precision: TrainingPrecision = "fp32", compiled: bool = False
) -> LSeg:
    """An LSeg with random weights that do something: batch norms are not the identity."""
    torch.manual_seed(0)
    model = LSeg(LSegConfig.preset(preset)).to(device).eval()
    accelerate(model, precision, compiled)
    return model


def pixels(settings: Settings, batch: int = 1) -> Tensor:
    """A normalised picture of noise."""
    return torch.randn(batch, 3, settings.size, settings.size, device=settings.device)


def vectors(count: int, settings: Settings) -> Tensor:
    """Random unit label vectors (N, 512)."""
    return F.normalize(torch.randn(count, 512, device=settings.device), dim=-1)


def inference(call: Callable[[], object]) -> Callable[[], object]:
    """The call in inference mode."""
    return torch.inference_mode()(call)


def vit(model: LSeg, picture: Tensor) -> object:
    """The backbone as the trunk runs it."""
    with torch.autocast(
        picture.device.type, torch.bfloat16, enabled=model.trunk.autocast is not None
    ):
        return model.trunk.backbone(picture)


def count_flops(call: Callable[[], object]) -> float:
    """Operations of the matrix products of a call, two a multiplication; but for its first time."""
    from torch.utils.flop_counter import FlopCounterMode

    call()  # which merges kernels
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())


def huggingface_dpt() -> torch.nn.Module:
    """DPT-Large for 150 classes, random weights."""
    from transformers import DPTConfig, DPTForSemanticSegmentation

    config = DPTConfig(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096,
        backbone_out_indices=[5, 11, 17, 23], neck_hidden_sizes=[256, 512, 1024, 1024],
        image_size=384, num_labels=150, use_auxiliary_head=False,
        use_batch_norm_in_fusion_residual=True,
    )  # fmt: skip
    return DPTForSemanticSegmentation(config).eval()
