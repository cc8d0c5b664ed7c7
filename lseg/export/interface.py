"""What a network's program takes, gives and says of itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.export import ExportedProgram

import lseg
from lseg.config import DepthConfig, SegmentationConfig
from lseg.errors import LSegError
from lseg.export.pixelwise import export_pixelwise
from lseg.export.program import LABELS, LOGITS, PIXELS, export_program, smallest_side
from lseg.models.dpt import PixelNetwork
from lseg.models.lseg import LSeg
from lseg.models.network import Network

Axes = tuple[str | int, ...]


@dataclass(frozen=True)
class Interface:
    """The inputs and the output of a program.

    Attributes:
        inputs: Names of the inputs, each with its dimensions: numbers, or names of free ones.
        output: Name of the output.
        axes: Its dimensions.
        meaning: The output, in words.
    """

    inputs: dict[str, Axes]
    output: str
    axes: Axes
    meaning: str


PICTURE: Axes = ("batch", 3, "height", "width")


def interface_of(model: Network) -> Interface:
    """Of the program that a network becomes.

    Raises:
        LSegError: If networks of its kind become none.
    """
    config = model.config
    if isinstance(model, LSeg):
        return Interface(
            {PIXELS: PICTURE, LABELS: ("labels", model.config.embed_dim)},
            LOGITS,
            ("batch", "labels", "height", "width"),
            "float32: the softmax over the labels is the probability",
        )
    if isinstance(config, DepthConfig):
        return Interface({PIXELS: PICTURE}, "depth", ("batch", "height", "width"), config.unit)
    if isinstance(config, SegmentationConfig):
        axes: Axes = ("batch", len(config.labels), "height", "width")
        return Interface({PIXELS: PICTURE}, LOGITS, axes, "float32, of the classes")
    if isinstance(model, PixelNetwork):
        return Interface({PIXELS: PICTURE}, "normals", PICTURE, "x, y, z of length 1")
    raise LSegError(f"a {type(model).__name__} cannot be exported")


def program_of(model: Network) -> ExportedProgram:
    """A network, or its image side, as a `torch.export` program."""
    if isinstance(model, PixelNetwork):
        return export_pixelwise(model)
    assert isinstance(model, LSeg)
    return export_program(model)


def describe_program(model: Network) -> dict[str, str]:
    """What a user of the program must know, as texts: JSON where it is more than a number."""
    config, interface = model.config.to_dict(), interface_of(model)
    least = smallest_side(model)
    told = {
        "lseg_version": lseg.__version__,
        "config": json.dumps(config),
        "preprocessing": json.dumps(config["preprocessing"]),
        PIXELS: f"(batch, 3, height, width) float32: RGB / 255, less mean, by std; height and "
        f"width from {least} up",
        interface.output: f"({', '.join(map(str, interface.axes))}) {interface.meaning}",
    }
    if isinstance(model, LSeg):
        told["text_encoder"] = json.dumps(config["text"])
        told[LABELS] = f"(labels, {model.config.embed_dim}) float32, of any norm"
    if "labels" in config:
        told["training_labels"] = json.dumps(config["labels"], ensure_ascii=False)
    return told


def example_inputs(model: Network) -> Iterator[tuple[Tensor, ...]]:
    """Random inputs: the smallest, an odd, and a larger size; each with 2, 20 and 200 labels."""
    random = torch.Generator().manual_seed(0)
    least = smallest_side(model)
    for batch, height, width in ((1, least, least + 7), (2, 97, 131), (1, 256, 192)):
        pixels = torch.rand(batch, 3, height, width, generator=random) * 2 - 1
        if not isinstance(model, LSeg):
            yield (pixels,)
            continue
        for count in (2, 20, 200):
            yield pixels, torch.randn(count, model.config.embed_dim, generator=random)
