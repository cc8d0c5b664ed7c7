"""Exported programs as files, each checked against the network before it gets its name."""

import io
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

import lseg
from lseg.errors import LSegError
from lseg.export.interface import (
    Interface,
    describe_program,
    example_inputs,
    interface_of,
    program_of,
)
from lseg.files import atomic_file
from lseg.models.dpt import DPTDepth
from lseg.models.lseg import LSeg
from lseg.models.network import Network

RunProgram = Callable[..., Tensor]

TOLERANCE = 1e-4
"""Largest difference between the answers of the program and of the network; see `export`."""

ONNX_LIMIT = 2**31
"""An ONNX file is a protobuf message, which cannot have more bytes."""


class ProgramFormat(Protocol):
    """A kind of program file."""

    def write(self, model: Network, path: Path, details: dict[str, str]) -> None:
        """Writes a model, or its image side, with texts that describe it."""

    def load(self, path: Path) -> RunProgram:
        """The program of a file, as a function of its inputs."""


class OnnxFile:
    """For any ONNX runtime; `details` become the model's metadata."""

    def write(self, model: Network, path: Path, details: dict[str, str]) -> None:
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
        interface = interface_of(model)
        with warnings.catch_warnings(action="ignore"):
            exported = torch.onnx.export(
                program_of(model),
                input_names=list(interface.inputs),
                output_names=[interface.output],
                verbose=False,
            )
        assert exported is not None
        exported.model.metadata_props.update(details)
        exported.model.producer_name = "lseg"
        exported.model.producer_version = lseg.__version__
        name_dimensions(exported.model, interface)
        exported.save(path, external_data=False)

    def load(self, path: Path) -> RunProgram:
        """See `ProgramFormat`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        def run(*inputs: Tensor) -> Tensor:
            names = [entry.name for entry in session.get_inputs()]
            given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
            return torch.from_numpy(np.asarray(session.run(None, given)[0]))

        return run


def name_dimensions(model: object, interface: Interface) -> None:
    """Calls the free dimensions of inputs and output by their names, instead of formulas."""
    axes = {**interface.inputs, interface.output: interface.axes}
    for value in (*model.graph.inputs, *model.graph.outputs):  # type: ignore[attr-defined]
        for index, name in enumerate(axes[value.name]):
            value.shape[index] = name


class TorchProgramFile:
    """A `torch.export` program, with `details.json` inside; it needs torch alone.

    `torch.export.load(FILE).module(check_guards=False)` runs it: the guards would refuse a batch of
    one picture, which the check of `export` covers.
    """

    def write(self, model: Network, path: Path, details: dict[str, str]) -> None:
        """See `ProgramFormat`."""
        text = json.dumps(details, indent=2, ensure_ascii=False)
        program = program_of(model)
        held = io.BytesIO()  # given a file, torch aborts the process when a disk takes no more
        with warnings.catch_warnings(action="ignore"):  # what it stores is checked by running it
            torch.export.save(program, held, extra_files={"details.json": text})
        path.write_bytes(held.getbuffer())

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


def export(model: Network, path: str | os.PathLike[str]) -> float:
    """Writes a network, of an LSeg the image side, as a program; whole and checked, or not at all.

    Args:
        model: In float32, on the CPU.
        path: A file that ends in `.onnx` or `.pt2`.

    Returns:
        The largest difference to the network's answers; see `largest_difference`.

    Raises:
        LSegError: If the name is of no known format, packages are missing, the image encoder cannot
            be exported, or the program's answers differ from the network's by more than 1e-4.
    """
    path = Path(path)
    kind = format_of(path)
    model.eval()
    with atomic_file(path) as partial:
        _write(kind, model, partial)
        worst = largest_difference(model, kind.load(partial))
        if not worst <= TOLERANCE:
            raise LSegError(
                f"the program's answers differ from the network's by {worst:.1e}, more than "
                f"{TOLERANCE:.0e}: {path} is not written"
            )
    return worst


def _write(kind: ProgramFormat, model: Network, path: Path) -> None:
    try:
        kind.write(model, path, describe_program(model))
    except (LSegError, OSError):
        raise
    except Exception as error:  # of any class, by the code of the many image encoders
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LSegError(
            f"a network on {model.config.image_encoder} cannot be exported for pictures of any "
            f"size: {reason}"
        ) from error


@torch.inference_mode()
def largest_difference(model: Network, run: RunProgram) -> float:
    """Between a program and its network: at three sizes, of an LSeg with 2, 20 and 200 labels.

    Absolute, but in units of `unit_of`.
    """
    differences = []
    for inputs in example_inputs(model):
        found, wanted = run(*inputs), model(*inputs)
        if found.shape != wanted.shape:
            raise LSegError(f"the program gives {tuple(found.shape)}, not {tuple(wanted.shape)}")
        differences.append(((found - wanted).abs() / unit_of(model, wanted)).max())
    return float(torch.stack(differences).max())  # NaN, if any is


def unit_of(model: Network, answers: Tensor) -> Tensor | float:
    """What a difference is measured in: 1, or depths beyond that, as in metres.

    Of logits 1 is that of LSeg, cosines times 1/0.07; a larger factor is a larger unit.
    """
    if isinstance(model, DPTDepth):
        return answers.abs().clamp_min(1)
    return max(1.0, 0.07 * model.config.logit_scale) if isinstance(model, LSeg) else 1.0
