"""Named tensors: read safely from files, and brought into a module strictly."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lseg.errors import CheckpointError


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file.

    Raises:
        CheckpointError: If it cannot be read.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def load_weights(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    source: str,
    assign: bool = False,
    called: Callable[[str], str] = repr,
) -> None:
    """Brings `weights` into `model`, all of them and nothing else.

    Args:
        model: Gets the weights.
        weights: By name.
        source: What to call them in errors.
        assign: Put the tensors themselves in place instead of copying their values.
        called: What to call a weight in errors.

    Raises:
        CheckpointError: Naming the first key that is missing, unknown, of another shape or type, or
            that holds a number which is not finite, as a training that diverged leaves them.
    """
    expected = model.state_dict()
    weights = with_counters(weights, expected)
    for name, tensor in expected.items():
        if name not in weights:
            raise CheckpointError(f"{source} lacks the weight {called(name)}")
        if weights[name].shape != tensor.shape:
            raise CheckpointError(
                f"{source}: weight {called(name)} has shape {tuple(weights[name].shape)}, "
                f"its configuration wants {tuple(tensor.shape)}"
            )
        dense = weights[name].layout == torch.strided
        if not dense or weights[name].is_floating_point() != tensor.is_floating_point():
            raise CheckpointError(
                f"{source}: weight {called(name)} is {weights[name].dtype}, "
                f"{weights[name].layout}; expected dense {tensor.dtype}"
            )
        if not weights[name].is_meta and not _is_finite(weights[name]):
            raise CheckpointError(
                f"{source}: weight {called(name)} holds numbers that are not finite (NaN): its "
                "training went wrong, or the file is damaged; take an earlier checkpoint"
            )
    for name in weights:
        if name not in expected:
            raise CheckpointError(
                f"{source} has a weight that the network does not: {called(name)}"
            )
    model.load_state_dict(weights, assign=assign)


def refuse_valueless(weights: Mapping[str, Tensor], source: str) -> None:
    """Refuses tensors without values, which a file of PyTorch can hold (on the device `meta`).

    Raises:
        CheckpointError: Naming the first one.
    """
    for name, tensor in weights.items():
        if tensor.is_meta:
            raise CheckpointError(f"{source}: weight {name!r} has a shape and no values")


def unstored_buffers(model: nn.Module) -> list[Tensor]:
    """Buffers that are in no state dict, such as frequencies of rotary positions."""
    stored = model.state_dict()
    return [buffer for name, buffer in model.named_buffers() if name not in stored]


def _is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite, read once and without memory for a mask."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    if tensor.dtype.itemsize < 2:  # the 8-bit ones have no minimum
        tensor = tensor.float()
    return all(bound.isfinite() for bound in torch.aminmax(tensor))


def with_counters(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights, with zeros for counters of batch norm that are missing, as PyTorch does it.

    They count the batches of a training, and no answer of a network depends on them; files of
    PyTorch before 0.4.1, and those that keep floating-point numbers alone, are without.
    """
    counters = [name for name in expected if name.endswith(".num_batches_tracked")]
    zeros = {name: torch.zeros((), dtype=expected[name].dtype) for name in counters}
    return {**{name: zeros[name] for name in counters if name not in weights}, **weights}


def ready_to_store(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """The tensor as it is written: on the CPU, contiguous, its floats of type `dtype` if given."""
    changed = tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
    return changed.detach().cpu().contiguous()


def fingerprint(module: nn.Module) -> str:
    """A hash of the weights, so that another model in the same place is noticed."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        if type(value) is Tensor:  # and no quantised one, which has no plain bytes
            plain = value.detach().cpu().contiguous().reshape(-1)
            digest.update(plain.view(torch.uint8).numpy().data)
    return digest.hexdigest()
