"""Saving and loading: native folders, Hub ids, Lightning checkpoints, the embedded model."""

import json
import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lseg.config import NetworkConfig, TextConfig
from lseg.errors import CheckpointError, ConfigError
from lseg.files import whole_file, write_json
from lseg.hub_errors import explained
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.models.registry import ARCHITECTURES, architecture_name, build_network
from lseg.paths import ASSETS

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TEXT_FILE = "text_encoder.safetensors"
TEXT_ARCHITECTURE = "clip-text"
LIGHTNING_PREFIX = "net."
LIGHTNING_CONFIG = "lseg_config"

ACCEPTED = (
    "a folder with config.json and model.safetensors, a Hub id such as user/model, "
    "a Lightning .ckpt of this project, or 'tiny'"
)


def save_model(
    model: Network, folder: str | os.PathLike[str], dtype: torch.dtype | None = None
) -> None:
    """Writes a native folder: `config.json`, `model.safetensors`, and the text tower if it has one.

    A text tower is stored only where it came with the model (see `LabelEncoder.tower`); otherwise
    the text encoder is named in the configuration.

    Args:
        model: The network.
        folder: Made if missing; other files in it stay.
        dtype: Type of the stored weights, such as `torch.float16` to halve the file; as they are by
            default. Loading always gives float32.
    """
    weights = {name: _stored(value, dtype) for name, value in model.state_dict().items()}
    tower = model.text.tower if isinstance(model, LSeg) else None
    text = load_file(tower) if tower is not None else None
    write_folder(Path(folder), model.config, weights, text)


def write_folder(
    folder: Path,
    config: NetworkConfig,
    weights: dict[str, Tensor],
    text: dict[str, Tensor] | None = None,
) -> None:
    """A native folder of these parts; a failure leaves what was there before.

    Args:
        folder: Made if missing.
        config: Of the network.
        weights: Its state dict.
        text: State dict of the text tower that belongs to it.
    """
    values = {"architecture": architecture_name(type(config)), **config.to_dict()}
    metadata = {"format": "pt"}
    with ExitStack() as files:
        write_json(files.enter_context(whole_file(folder / CONFIG_FILE)), values)
        save_file(weights, files.enter_context(whole_file(folder / WEIGHTS_FILE)), metadata)
        if text is not None:
            save_file(text, files.enter_context(whole_file(folder / TEXT_FILE)), metadata)


def write_text_folder(folder: Path, config: TextConfig, weights: dict[str, Tensor]) -> None:
    """A folder with a text tower alone, which `read_text_config` reads; as `write_folder`."""
    values = {"architecture": TEXT_ARCHITECTURE, "model": config.model}
    with ExitStack() as files:
        write_json(files.enter_context(whole_file(folder / CONFIG_FILE)), values)
        save_file(weights, files.enter_context(whole_file(folder / TEXT_FILE)), {"format": "pt"})


def read_text_config(folder: Path) -> TextConfig:
    """The text encoder in a folder that `lseg convert` made from the weights of a CLIP.

    Raises:
        CheckpointError: If the folder is none.
    """
    values = _read_config(folder, TEXT_FILE)
    if values.get("architecture") != TEXT_ARCHITECTURE or not isinstance(values.get("model"), str):
        raise CheckpointError(
            f"{folder} is no text encoder: expected what `lseg convert` makes of a CLIP"
        )
    return TextConfig(values["model"], str(folder / TEXT_FILE))


def load_model(
    source: str | os.PathLike[str],
    device: str | torch.device = "cpu",
    revision: str | None = None,
) -> Network:
    """A trained network in eval mode, float32: an `LSeg`, a `DPTDepth` or a `DPTSegmentation`.

    Args:
        source: A native folder, a Hugging Face Hub id, a Lightning checkpoint of this project, or
            `tiny` for the embedded model.
        device: Where to put the weights.
        revision: Branch, tag or commit of a Hub id.

    Raises:
        CheckpointError: If there is nothing to load there, or it is of another kind, truncated, or
            does not fit its own configuration.
    """
    path = Path(source)
    local = str(source) == "tiny" or path.exists()
    if revision is not None and local:
        raise CheckpointError(f"{source} is no Hub id: a revision, {revision!r}, is for those")
    if str(source) == "tiny":
        model = _load_folder(ASSETS / "tiny_lseg")
    elif path.is_dir():
        model = _load_folder(path)
    elif path.is_file():
        model = _load_lightning(path)
    elif _is_hub_id(str(source)):
        model = _load_folder(_download(str(source), revision))
    else:
        raise CheckpointError(f"{source}: no such file or folder; a checkpoint is {ACCEPTED}")
    return model.to(device).eval()


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
        CheckpointError: Naming the first key that is missing, unknown or of another shape.
    """
    expected = model.state_dict()
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
    for name in weights:
        if name not in expected:
            raise CheckpointError(
                f"{source} has a weight that the network does not: {called(name)}"
            )
    model.load_state_dict(weights, assign=assign)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file.

    Raises:
        CheckpointError: If it cannot be read.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def _read_config(folder: Path, weights_file: str) -> dict[str, Any]:
    config_file = folder / CONFIG_FILE
    for file in (config_file, folder / weights_file):
        if not file.is_file():
            raise CheckpointError(f"{folder} has no {file.name}; a checkpoint is {ACCEPTED}")
    try:
        values = json.loads(config_file.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{config_file} is no configuration: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{config_file} is no configuration: it holds no JSON object")
    return values


def _load_folder(folder: Path) -> Network:
    if (folder / TEXT_FILE).is_file() and not (folder / WEIGHTS_FILE).is_file():
        raise CheckpointError(
            f"{folder} holds a text encoder alone: give it as --text-table, or its weights as "
            "text.pretrained in the configuration of a network"
        )
    values = _read_config(folder, WEIGHTS_FILE)
    config_file, weights_file = folder / CONFIG_FILE, folder / WEIGHTS_FILE
    architecture = values.pop("architecture", None)
    if architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"{config_file} describes an unknown architecture, {architecture!r}: known are "
            f"{', '.join(ARCHITECTURES)}"
        )
    model = _build(architecture, values, read_tensors(weights_file), str(folder))
    if isinstance(model, LSeg) and (folder / TEXT_FILE).is_file():
        model.text.tower = folder / TEXT_FILE
    return model


def _load_lightning(path: Path) -> Network:
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
        raise CheckpointError(
            f"{path} was not written by this project; a checkpoint is {ACCEPTED}. Published LSeg "
            "and DPT checkpoints are converted by: lseg convert SOURCE DESTINATION"
        )
    weights = {
        name.removeprefix(LIGHTNING_PREFIX): tensor
        for name, tensor in checkpoint["state_dict"].items()
    }
    return _build("lseg", checkpoint[LIGHTNING_CONFIG], weights, str(path))


def _build(
    architecture: object, values: dict[str, Any], weights: Mapping[str, Tensor], source: str
) -> Network:
    """The network around its weights: built without memory, so that weights exist only once."""
    try:
        with torch.device("meta"):
            model = build_network(architecture, values)
    except (ConfigError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the configuration of {source} cannot be built: {error}") from error
    weights = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
    load_weights(model, weights, source, assign=True)
    model.trunk.order_kernels()
    return model


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    changed = tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
    return changed.detach().cpu().contiguous()


def _is_hub_id(source: str) -> bool:
    parts = source.split("/")
    return len(parts) == 2 and all(parts) and not source.startswith((".", "~"))


def _download(hub_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors"]
    return explained(
        hub_id,
        lambda: Path(snapshot_download(hub_id, revision=revision, allow_patterns=wanted)),
    )
