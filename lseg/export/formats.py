"""Exported programs as files, each checked against the network before it gets its name."""

import json
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

import lseg
from lseg.errors import LSegError
from lseg.export.program import LABELS, LOGITS, PIXELS, export_program, smallest_side
from lseg.files import atomic_file
from lseg.models.lseg import LSeg

RunProgram = Callable[[Tensor, Tensor], Tensor]

TOLERANCE = 1e-4
"""Largest absolute difference between the logits of the program and of the network."""

ONNX_LIMIT = 2**31
"""An ONNX file is a protobuf message, which cannot have more bytes."""


class ProgramFormat(Protocol):
    """A kind of program file."""

    def write(self, model: LSeg, path: Path, details: dict[str, str]) -> None:
        """Writes the image side of a model, with texts that describe it."""

    def load(self, path: Path) -> RunProgram:
        """The program of a file, as a function of pixels and label vectors."""


class OnnxFile:
    """For any ONNX runtime; `details` become the model's metadata."""

    def write(self, model: LSeg, path: Path, details: dict[str, str]) -> None:
        """See `ProgramFormat`.

        Raises:
            LSegError: If the packages of the extra `onnx` are missing, or the network is too large.
        """
        size = sum(value.numel() * value.element_size() for value in model.state_dict().values())
        if size >= ONNX_LIMIT:
            raise LSegError(
                f"the network has {size / 1e9:.1f} GB of weights, an ONNX file holds 2: give --out "
                "a name that ends in .pt2"
            )
        try:
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise LSegError(f'{error.name} is missing: pip install "lseg[onnx]"') from error
        with warnings.catch_warnings(action="ignore"):
            exported = torch.onnx.export(
                export_program(model),
                input_names=[PIXELS, LABELS],
                output_names=[LOGITS],
                verbose=False,
            )
        assert exported is not None
        exported.model.metadata_props.update(details)
        exported.model.producer_name = "lseg"
        exported.model.producer_version = lseg.__version__
        name_dimensions(exported.model)
        exported.save(path, external_data=False)

    def load(self, path: Path) -> RunProgram:
        """See `ProgramFormat`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        def run(pixels: Tensor, vectors: Tensor) -> Tensor:
            inputs = {PIXELS: pixels.numpy(), LABELS: vectors.numpy()}
            return torch.from_numpy(np.asarray(session.run([LOGITS], inputs)[0]))

        return run


def name_dimensions(model: object) -> None:
    """Calls the free dimensions of inputs and output by their names, instead of formulas."""
    axes = {PIXELS: ("batch", 3, "height", "width"), LOGITS: ("batch", "labels", "height", "width")}
    for value in (*model.graph.inputs, *model.graph.outputs):  # type: ignore[attr-defined]
        names = axes.get(value.name, ("labels", value.shape[-1]))
        for index, name in enumerate(names):
            value.shape[index] = name


class TorchProgramFile:
    """A `torch.export` program, with `details.json` inside; it needs torch alone.

    `torch.export.load(FILE).module(check_guards=False)` runs it: the guards would refuse a batch of
    one picture, which the check of `export` covers.
    """

    def write(self, model: LSeg, path: Path, details: dict[str, str]) -> None:
        """See `ProgramFormat`."""
        text = json.dumps(details, indent=2, ensure_ascii=False)
        program = export_program(model)
        with warnings.catch_warnings(action="ignore"):  # what it stores is checked by running it
            torch.export.save(program, path, extra_files={"details.json": text})

    def load(self, path: Path) -> RunProgram:
        """See `ProgramFormat`."""
        module: RunProgram = torch.export.load(path).module(check_guards=False)
        return module


FORMATS: dict[str, ProgramFormat] = {".onnx": OnnxFile(), ".pt2": TorchProgramFile()}


def format_of(path: Path) -> ProgramFormat:
    """The format that a file name asks for.

    Raises:
        LSegError: If its ending is unknown.
    """
    if path.suffix not in FORMATS:
        raise LSegError(f"{path} ends in {path.suffix!r}: give a name in {' or '.join(FORMATS)}")
    return FORMATS[path.suffix]


def export(model: LSeg, path: str | os.PathLike[str]) -> float:
    """Writes the image side of a network as a program; whole and checked, or not at all.

    Args:
        model: In float32, on the CPU.
        path: A file that ends in `.onnx` or `.pt2`.

    Returns:
        The largest difference to the network's logits: three sizes, each with 2, 20 and 200 labels.

    Raises:
        LSegError: If the name is of no known format, packages are missing, or the program's answers
            differ from the network's by more than 1e-4.
    """
    path = Path(path)
    kind = format_of(path)
    model.eval()
    with atomic_file(path) as partial:
        kind.write(model, partial, describe_program(model))
        worst = largest_difference(model, kind.load(partial))
        if not worst <= TOLERANCE:
            raise LSegError(
                f"the program's logits differ from the network's by {worst:.1e}, more than "
                f"{TOLERANCE:.0e}: {path} is not written"
            )
    return worst


def describe_program(model: LSeg) -> dict[str, str]:
    """What a user of the program must know, as texts: JSON where it is more than a number."""
    config = model.config.to_dict()
    least = smallest_side(model)
    return {
        "lseg_version": lseg.__version__,
        "config": json.dumps(config),
        "preprocessing": json.dumps(config["preprocessing"]),
        "text_encoder": json.dumps(config["text"]),
        "training_labels": json.dumps(config["labels"], ensure_ascii=False),
        "pixels": f"(batch, 3, height, width) float32: RGB / 255, less mean, by std; height and "
        f"width from {least} up",
        "label_vectors": f"(labels, {model.config.embed_dim}) float32, of any norm",
        "logits": "(batch, labels, height, width) float32: the softmax over the labels is the "
        "probability",
    }


@torch.inference_mode()
def largest_difference(model: LSeg, run: RunProgram) -> float:
    """Between a program and its network, absolute, over sizes and numbers of labels."""
    differences = []
    for pixels, vectors in example_inputs(model):
        found, wanted = run(pixels, vectors), model(pixels, vectors)
        if found.shape != wanted.shape:
            raise LSegError(f"the program gives {tuple(found.shape)}, not {tuple(wanted.shape)}")
        differences.append((found - wanted).abs().max())
    return float(torch.stack(differences).max())  # NaN, if any is


def example_inputs(model: LSeg) -> Iterator[tuple[Tensor, Tensor]]:
    """Random inputs: the smallest, an odd, and a larger size, each with 2, 20 and 200 labels."""
    random = torch.Generator().manual_seed(0)
    least = smallest_side(model)
    for batch, height, width in ((1, least, least + 7), (2, 97, 131), (1, 256, 192)):
        pixels = torch.rand(batch, 3, height, width, generator=random) * 2 - 1
        for count in (2, 20, 200):
            yield pixels, torch.randn(count, model.config.embed_dim, generator=random)
