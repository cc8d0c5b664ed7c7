"""Saving and loading: native folders, Hub ids, Lightning checkpoints, the embedded model."""

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lseg.config import LSegConfig
from lseg.errors import CheckpointError, ConfigError
from lseg.files import whole_file, write_json
from lseg.models.lseg import LSeg
from lseg.paths import ASSETS

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
LIGHTNING_PREFIX = "net."
LIGHTNING_CONFIG = "lseg_config"

ACCEPTED = (
    "a folder with config.json and model.safetensors, a Hub id such as user/model, "
    "a Lightning .ckpt of this project, or 'tiny'"
)


def save_model(
    model: LSeg, folder: str | os.PathLike[str], dtype: torch.dtype | None = None
) -> None:
    """Writes a native folder: `config.json` and `model.safetensors` (image side only).

    Args:
        model: The network.
        folder: Made if missing; other files in it stay.
        dtype: Type of the stored weights, such as `torch.float16` to halve the file; as they are by
            default. Loading always gives float32.
    """
    folder = Path(folder)
    weights = {
        name: (tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor)
        .detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }  # fmt: skip
    with whole_file(folder / CONFIG_FILE) as config, whole_file(folder / WEIGHTS_FILE) as partial:
        write_json(config, {"architecture": "lseg", **model.config.to_dict()})
        save_file(weights, partial, metadata={"format": "pt"})


def load_model(source: str | os.PathLike[str], device: str | torch.device = "cpu") -> LSeg:
    """A trained network in eval mode, float32.

    Args:
        source: A native folder, a Hugging Face Hub id, a Lightning checkpoint of this project, or
            `tiny` for the embedded model.
        device: Where to put the weights.

    Raises:
        CheckpointError: If there is nothing to load there, or it is of another kind, truncated, or
            does not fit its own configuration.
    """
    path = Path(source)
    if str(source) == "tiny":
        model = _load_folder(ASSETS / "tiny_lseg")
    elif path.is_dir():
        model = _load_folder(path)
    elif path.is_file():
        model = _load_lightning(path)
    elif _is_hub_id(str(source)):
        model = _load_folder(_download(str(source)))
    else:
        raise CheckpointError(f"{source}: no such file or folder; a checkpoint is {ACCEPTED}")
    return model.to(device).eval()


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copies `weights` into `model`, all of them and nothing else.

    Raises:
        CheckpointError: Naming the first key that is missing, unknown or of another shape.
    """
    expected = model.state_dict()
    for name, tensor in expected.items():
        if name not in weights:
            raise CheckpointError(f"{source} lacks the weight {name!r}")
        if weights[name].shape != tensor.shape:
            raise CheckpointError(
                f"{source}: weight {name!r} has shape {tuple(weights[name].shape)}, its "
                f"configuration wants {tuple(tensor.shape)}"
            )
    for name in weights:
        if name not in expected:
            raise CheckpointError(f"{source} has a weight that the network does not: {name!r}")
    model.load_state_dict(weights)


def _load_folder(folder: Path) -> LSeg:
    config_file, weights_file = folder / CONFIG_FILE, folder / WEIGHTS_FILE
    for file in (config_file, weights_file):
        if not file.is_file():
            raise CheckpointError(f"{folder} has no {file.name}; a checkpoint is {ACCEPTED}")
    try:
        values = json.loads(config_file.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{config_file} is no configuration: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{config_file} is no configuration: it holds no JSON object")
    architecture = values.pop("architecture", None)
    if architecture != "lseg":
        raise CheckpointError(f"{config_file} describes {architecture!r}, not an lseg network")
    try:
        weights = load_file(weights_file)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights_file} cannot be read: {error}") from error
    return _build(values, weights, str(folder))


def _load_lightning(path: Path) -> LSeg:
    try:
        with warnings.catch_warnings(action="ignore"):  # the error below says it
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for what is no checkpoint
        raise CheckpointError(
            f"{path} is truncated, no PyTorch checkpoint, or holds more than weights and settings; "
            f"a checkpoint is {ACCEPTED}"
        ) from error
    parts = ("state_dict", LIGHTNING_CONFIG)
    if not isinstance(checkpoint, dict) or not all(
        isinstance(checkpoint.get(part), dict) for part in parts
    ):
        raise CheckpointError(f"{path} was not written by this project; a checkpoint is {ACCEPTED}")
    weights = {
        name.removeprefix(LIGHTNING_PREFIX): tensor
        for name, tensor in checkpoint["state_dict"].items()
    }
    return _build(checkpoint[LIGHTNING_CONFIG], weights, str(path))


def _build(values: dict[str, Any], weights: Mapping[str, Tensor], source: str) -> LSeg:
    try:
        model = LSeg(LSegConfig.from_dict(values))
    except (ConfigError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the configuration of {source} cannot be built: {error}") from error
    load_weights(model, weights, source)
    return model


def _is_hub_id(source: str) -> bool:
    parts = source.split("/")
    return len(parts) == 2 and all(parts) and not source.startswith((".", "~"))


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=["*.json", "*.safetensors"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{hub_id}: no such file or folder here, and not to be had from the Hub ({reason})"
        ) from error
