"""What `benchmark.py` compares: for each case, contenders that are timed and probes of memory."""

import functools
from collections.abc import Callable

import numpy as np
import torch
from benchmark_frozen import frozen_case
from benchmark_networks import (
    Contender,
    Settings,
    count_flops,
    huggingface_dpt,
    inference,
    network,
    pixels,
    plain,
    plain_network,
    vectors,
    vit,
)
from benchmark_startup import open_demo, show_help
from benchmark_training import throughput_case, train_case, train_step
from torch import Tensor

from lseg.inference.segmenter import Segmenter
from lseg.models.embeddings import PixelEmbeddings, merge_projections
from lseg.models.levels import Level
from lseg.models.lseg import LSeg
from lseg.models.maps import all_logits
from lseg.models.similarity import PixelLogits
from lseg.models.strips import label_map

LABEL_COUNTS = (5, 150, 1000)


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
    flops = count_flops(inference(lambda: vit(model, picture)))
    for precision, net in (("fp32", model), ("bf16", half)):
        call = inference(lambda n=net: vit(n, picture))
        found.append(Contender(f"ViT alone, {precision}", call, None, flops, precision))
    return found


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
    embeddings = PixelEmbeddings(features, merge_projections(model.trunk.project, model.project))
    half = model.compare(embeddings, text)
    height, width = (2 * side for side in half.size)
    return all_logits(PixelLogits(half, (height, width), (height, width)))


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
    "frozen": frozen_case,
    "throughput": throughput_case,
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
