"""Reading checkpoints of others without ever running what they may contain.

PyTorch's own safe loader (`weights_only=True`) comes first. What it refuses, such as old Lightning
hyper-parameters that pickle arbitrary classes, is read by an unpickler that builds tensors,
containers and primitive values and puts an inert object in place of everything else.
"""

import collections
import pickle
import types
import warnings
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lseg.errors import CheckpointError


class Inert:
    """Stands for an object that was not built; takes whatever unpickling hands it."""

    dump_patches = False  # PyTorch's oldest format asks classes for it, and would write a file

    def __new__(cls, *_arguments: Any, **_options: Any) -> "Inert":
        """Ignores the arguments."""
        return super().__new__(cls)

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        pass

    def __call__(self, *_arguments: Any, **_options: Any) -> "Inert":
        """Ignores the call."""
        return self

    def __setstate__(self, state: Any) -> None:
        """Ignores the state."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignores the item."""

    def append(self, value: Any) -> None:
        """Ignores the value."""

    def extend(self, values: Any) -> None:
        """Ignores the values."""

    def add(self, value: Any) -> None:
        """Ignores the value."""


TORCHSCRIPT = (
    "{path} is a TorchScript archive, as OpenAI publishes CLIP: a program, which is not run here. "
    'If you trust it, save its weights alone and convert those: python -c "import torch; '
    "torch.save(torch.jit.load('{name}', map_location='cpu').state_dict(), 'weights.pt')\""
)

# All that a state dict needs. Everything else, functions above all, becomes `Inert`.
_STORAGES = (
    "FloatStorage", "HalfStorage", "BFloat16Storage", "DoubleStorage", "LongStorage", "IntStorage",
    "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage",
)  # fmt: skip
_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
    **{("torch", name): getattr(torch, name) for name in _STORAGES},
}


def _skip_state(unpickler: Any) -> None:
    unpickler.stack.pop()


class InertUnpickler(pickle._Unpickler):
    """Builds nothing but what `_ALLOWED` names, and changes no attribute of anything.

    State (pickle's BUILD) is passed over: no tensor needs it, and it could be put on the allowed
    functions and classes themselves. Only the unpickler written in Python lets one do so.
    """

    dispatch: ClassVar = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: _skip_state}

    def find_class(self, module: str, name: str) -> Any:
        """The allowed class or function of that name, or `Inert`."""
        return _ALLOWED.get((module, name), Inert)


# torch.load takes a module with the interface of pickle.
_inert_pickle = types.ModuleType("inert_pickle")
_inert_pickle.Unpickler = InertUnpickler  # type: ignore[attr-defined]
_inert_pickle.load = lambda file, **options: InertUnpickler(file, **options).load()  # type: ignore[attr-defined]


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, a PyTorch state dict or a training checkpoint.

    Files in PyTorch's zip format are mapped, not read: tensors take memory when they are used.

    Raises:
        CheckpointError: If the file is missing, truncated, or holds no state dict.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        safe = path.suffix == ".safetensors" or _is_safetensors(path)
        if not safe and _is_torchscript(path):
            raise CheckpointError(TORCHSCRIPT.format(path=path, name=path.name))
        weights = load_file(path) if safe else _tensors(_load(path))
    except SafetensorError as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    if not weights:
        raise CheckpointError(f"{path} holds no state dict: there is no tensor in it")
    return weights


def _tensors(content: Any) -> dict[str, Tensor]:
    """The state dict inside a checkpoint; dict's own methods, as an instance may hide them."""
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(dict.get(content, wrapper), dict):
            content = dict.get(content, wrapper)
    if not isinstance(content, dict):
        return {}
    items = dict.items(content)
    return {str(key): value.detach() for key, value in items if isinstance(value, Tensor)}


def _load(path: Path) -> Any:
    mapped = {"mmap": True} if _is_zip(path) else {}
    with warnings.catch_warnings(action="ignore"):  # errors say it
        try:
            return torch.load(path, map_location="cpu", weights_only=True, **mapped)
        except pickle.UnpicklingError:
            pass  # classes that the safe loader does not know
        except Exception as error:
            raise CheckpointError(_unreadable(path, error)) from error
        try:
            return torch.load(
                path, map_location="cpu", weights_only=False, pickle_module=_inert_pickle, **mapped
            )
        except Exception as error:
            raise CheckpointError(_unreadable(path, error)) from error


def _is_safetensors(path: Path) -> bool:
    """Whether the file begins as safetensors do, whatever its name: a length, then JSON."""
    with path.open("rb") as file:
        head = file.read(10)
    return head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < path.stat().st_size


def _is_torchscript(path: Path) -> bool:
    """Whether the file holds a program beside its weights."""
    if not _is_zip(path):
        return False
    try:
        with zipfile.ZipFile(path) as file:
            return any(name.endswith("/constants.pkl") for name in file.namelist())
    except (zipfile.BadZipFile, UnicodeDecodeError):
        return False


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _unreadable(path: Path, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{path} is truncated or no PyTorch checkpoint ({reason})"
