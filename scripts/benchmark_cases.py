"""What `benchmark.py` compares: for each case, contenders that are timed and probes of memory."""

import copy
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmark_startup import open_demo, show_help
from torch import Tensor
from torch.nn import functional as F

from lseg.config import LSegConfig
from lseg.models.acceleration import accelerate
from lseg.models.backbones import Level
from lseg.models.embeddings import PixelEmbeddings, merge
from lseg.models.loss import mean_cross_entropy, strip_cross_entropy
from lseg.models.lseg import LSeg
from lseg.models.maps import label_map, whole
from lseg.models.similarity import PixelLogits
from lseg.segmenter import Segmenter

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
import plain  # the published formula, the tests' oracle

LABEL_COUNTS = (5, 150, 1000)
TEXT_CONTEXT = 77


@dataclass(frozen=True)
class Settings:
    """Preset and input size of the networks, rounds of each timing, and the device."""

    preset: str
    size: int
    rounds: int
    device: str


@dataclass(frozen=True)
class Contender:
    """Something that is timed; `base` names what it is compared with, `flops` what it computes."""

    name: str
    call: Callable[[], object]
    base: str | None = None
    flops: float | None = None
    dtype: torch.dtype = torch.float32


@functools.cache
def plain_network(preset: str, device: str) -> LSeg:
    """The same weights for the published formula."""
    return plain.model(network(preset, device))


@functools.cache
def network(preset: str, device: str, precision: str = "fp32", compiled: bool = False) -> LSeg:
    """An LSeg with random weights that do something: batch norms are not the identity."""
    torch.manual_seed(0)
    model = LSeg(LSegConfig.preset(preset)).to(device).eval()
    accelerate(model, precision, compiled)  # type: ignore[arg-type]
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


def network_case(settings: Settings) -> list[Contender]:
    """Whole images to full-resolution logits."""
    model, picture = network(settings.preset, settings.device), pixels(settings)
    half = network(settings.preset, settings.device, "bf16")
    published = plain_network(settings.preset, settings.device)
    found = []
    for count in LABEL_COUNTS:
        text = vectors(count, settings)
        base = f"plain formula, {count} labels"
        found += [
            Contender(base, inference(lambda t=text: plain.logits(published, picture, t))),
            Contender(f"ours, {count} labels", inference(lambda t=text: model(picture, t)), base),
            Contender(f"ours bf16, {count}", inference(lambda t=text: half(picture, t)), base),
        ]
    if settings.device == "cuda":
        fast = network(settings.preset, settings.device, "bf16", compiled=True)
        text = vectors(150, settings)
        base = "plain formula, 150 labels"
        found.append(
            Contender("ours bf16 compiled, 150", inference(lambda: fast(picture, text)), base)
        )
    theirs = huggingface_dpt().to(settings.device)
    found.append(
        Contender(
            "Hugging Face DPT-Large, 150 classes",
            inference(lambda: theirs(picture, return_dict=False)),
            "plain formula, 150 labels",
        )
    )
    for name, net, dtype in (("fp32", model, torch.float32), ("bf16", half, torch.bfloat16)):
        flops = vit_flops(net, settings)
        found.append(
            Contender(
                f"ViT alone, {name}", inference(lambda n=net: vit(n, picture)), None, flops, dtype
            )
        )
    return found


def vit(model: LSeg, picture: Tensor) -> object:
    """The backbone as the trunk runs it."""
    with torch.autocast(
        picture.device.type, torch.bfloat16, enabled=model.trunk.autocast is not None
    ):
        return model.trunk.backbone(picture)


def vit_flops(model: LSeg, settings: Settings) -> float:
    """Operations of the backbone's matrix products, two a multiplication."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        vit(model, pixels(settings))
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


def head_case(settings: Settings) -> list[Contender]:
    """Decoder and head: what the backbone gives to full-resolution logits."""
    model, picture = network(settings.preset, settings.device), pixels(settings)
    with torch.inference_mode():
        levels = model.trunk.backbone(picture)
    published = plain_network(settings.preset, settings.device)
    size = (settings.size, settings.size)
    found = []
    for count in LABEL_COUNTS:
        text = vectors(count, settings)
        base = f"plain formula, {count} labels"
        found += [
            Contender(base, inference(lambda t=text: plain_head(published, levels, t, size))),
            Contender(
                f"ours, {count} labels", inference(lambda t=text: our_head(model, levels, t)), base
            ),
        ]
    return found


def plain_head(model: LSeg, levels: list[Level], text: Tensor, size: tuple[int, int]) -> Tensor:
    """Decoder and head as published."""
    return plain.head(model, plain.reassemble(model.trunk, levels), text, size)


def our_head(model: LSeg, levels: list[Level], text: Tensor) -> Tensor:
    """As `plain_head`, by this implementation."""
    features = model.trunk.decode(levels)
    embeddings = PixelEmbeddings(features, merge(model.trunk.project, model.project))
    half = model.compare(embeddings, text)
    height, width = (2 * side for side in half.size)
    return whole(PixelLogits(half, (height, width), (height, width)))


def labels_case(settings: Settings) -> list[Contender]:
    """Whole images to label maps."""
    model, picture = network(settings.preset, settings.device), pixels(settings)
    found = []
    for count in (5, 1000):
        text = vectors(count, settings)
        call = inference(lambda t=text: label_map(model.logits(picture, t)))
        found.append(Contender(f"label map, {count} labels", call, "label map, 5 labels"))
    return found


def relabel_case(settings: Settings) -> list[Contender]:
    """Ten other labels for a picture that was encoded, against a full pass (ViT-B/16)."""
    segmenter = Segmenter(network("vitb16", settings.device), 0)
    image = np.random.default_rng(0).integers(0, 256, (settings.size, settings.size, 3), np.uint8)
    encoded = segmenter.encode(image)

    def full() -> object:
        text = vectors(10, settings)
        return segmenter.segment_encoded(segmenter.encode(image), text).label_map

    def again() -> object:
        return segmenter.segment_encoded(encoded, vectors(10, settings)).label_map

    return [Contender("full pass", full), Contender("10 new labels", again, "full pass")]


def train_step(settings: Settings, labels: int, text_inside: bool) -> Callable[[], object]:
    """Forward and backward of ViT-B/32, batch 2."""
    model = (
        plain_network("vitb32", settings.device)
        if text_inside
        else network("vitb32", settings.device)
    )
    model = copy.deepcopy(model).train()
    picture = pixels(settings, 2)
    mask = torch.randint(0, labels, (2, settings.size, settings.size), device=settings.device)
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


def embed_case(settings: Settings) -> list[Contender]:
    """Pixel embeddings of one picture as a float16 array, by preset."""
    image = np.random.default_rng(0).integers(0, 256, (settings.size, settings.size, 3), np.uint8)
    return [
        Contender(f"{preset}, {precision}", functools.partial(
            Segmenter(network(preset, settings.device, precision), 0).embed, image
        ))
        for preset in ("vitb32", "vitb16", settings.preset)
        for precision in ("fp32", "bf16")
    ]  # fmt: skip


SIZES = (
    *((preset, 480, 1) for preset in ("resnet101", "vitb32", "vitb16", "hybrid", "vitl16")),
    *(("vitb16", size, 1) for size in (240, 720, 960)),
    *(("vitb16", 480, batch) for batch in (2, 4)),
)  # preset, side of the square input, batch


def label_map_of(settings: Settings, preset: str, size: int, batch: int) -> Callable[[], object]:
    """Label maps of a batch of pictures with ten labels."""
    model = network(preset, settings.device)
    picture = torch.randn(batch, 3, size, size, device=settings.device)
    text = vectors(10, settings)
    return inference(lambda: label_map(model.logits(picture, text)))


def sizes_case(settings: Settings) -> list[Contender]:
    """Label maps by backbone, input size and batch."""
    return [
        Contender(
            f"{preset}, {size} px, batch {batch}", label_map_of(settings, preset, size, batch)
        )
        for preset, size, batch in SIZES
    ]


def startup_case(_: Settings) -> list[Contender]:
    """`lseg --help` from start to end, and `lseg demo` until its page answers."""
    return [Contender("lseg --help", show_help), Contender("lseg demo", open_demo)]


CASES: dict[str, Callable[[Settings], list[Contender]]] = {
    "network": network_case,
    "head": head_case,
    "labels": labels_case,
    "relabel": relabel_case,
    "train": train_case,
    "embed": embed_case,
    "sizes": sizes_case,
    "startup": startup_case,
}
PROBES: dict[str, dict[str, Callable[[Settings], Callable[[], object]]]] = {
    "labels": {
        f"label map, {count} labels": lambda s, c=count: labels_case(s)[c == 1000].call
        for count in (5, 1000)
    },
    "sizes": {
        f"{preset}, {size} px, batch {batch}": lambda s, c=(preset, size, batch): label_map_of(
            s, *c
        )
        for preset, size, batch in SIZES
    },
    "train": {
        "text encoder in the graph, 150 labels": lambda s: train_step(s, 150, True),
        **{
            f"ours, {count} labels": lambda s, c=count: train_step(s, c, False)
            for count in (10, 150, 1000)
        },
    },
}
