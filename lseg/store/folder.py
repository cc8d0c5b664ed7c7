"""The native folder: `config.json`, `model.safetensors`, and a text tower that came with them."""

import dataclasses
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from lseg.config import AlignedConfig, LSegConfig, NetworkConfig, TextConfig
from lseg.errors import CheckpointError, ConfigError
from lseg.files import atomic_file, write_json
from lseg.parsing import parse_json
from lseg.store.tensors import read_tensors
from lseg.text.location import located

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TEXT_FILE = "text_encoder.safetensors"
TEXT_ARCHITECTURE = "clip-text"

ACCEPTED = (
    "a folder with config.json and model.safetensors, a Hub id such as user/model, "
    "a Lightning .ckpt of this project, or 'photo' or 'tiny', which are embedded"
)


@dataclass(frozen=True)
class StoredNetwork:
    """All that is needed to build a network again.

    Attributes:
        source: Where it came from, for errors.
        architecture: Which kind of network, as `NetworkConfig.architecture` names it.
        config: What `NetworkConfig.from_dict` takes.
        weights: State dict of the network.
        text_tower: File with the weights of a text tower that belongs to it.
        folder: Of the file that `config` is from; its relative paths start there.
    """

    source: str
    architecture: object
    config: dict[str, Any]
    weights: dict[str, Tensor]
    text_tower: Path | None = None
    folder: Path | None = None


def read_folder(folder: Path) -> StoredNetwork:
    """What a native folder holds.

    Raises:
        CheckpointError: If it is none, or one of its files cannot be read.
    """
    if (folder / TEXT_FILE).is_file() and not (folder / WEIGHTS_FILE).is_file():
        raise CheckpointError(
            f"{folder} holds a text encoder alone: give it as --text-table, or its weights as "
            "text.pretrained in the configuration of a network"
        )
    values = _read_config(folder, WEIGHTS_FILE)
    architecture = values.pop("architecture", None)
    tower = folder / TEXT_FILE
    return StoredNetwork(
        str(folder),
        architecture,
        values,
        read_tensors(folder / WEIGHTS_FILE),
        tower if tower.is_file() else None,
        folder,
    )


def write_folder(
    folder: Path,
    config: NetworkConfig,
    weights: dict[str, Tensor],
    text: dict[str, Tensor] | None = None,
) -> None:
    """A native folder of these parts; a failure leaves what was there before.

    Args:
        folder: Made if missing; other files in it stay.
        config: Of the network.
        weights: Its state dict.
        text: State dict of the text tower that belongs to it.
    """
    values = {"architecture": config.architecture, **config.to_dict()}
    metadata = {"format": "pt"}
    with ExitStack() as files:
        write_json(files.enter_context(atomic_file(folder / CONFIG_FILE)), values)
        save_file(weights, files.enter_context(atomic_file(folder / WEIGHTS_FILE)), metadata)
        if text is not None:
            save_file(text, files.enter_context(atomic_file(folder / TEXT_FILE)), metadata)


def write_text_folder(folder: Path, config: TextConfig, weights: dict[str, Tensor]) -> None:
    """A folder with a text tower alone, which `read_text_config` reads; as `write_folder`."""
    values = {"architecture": TEXT_ARCHITECTURE, "model": config.model}
    with ExitStack() as files:
        write_json(files.enter_context(atomic_file(folder / CONFIG_FILE)), values)
        save_file(weights, files.enter_context(atomic_file(folder / TEXT_FILE)), {"format": "pt"})


def read_text_config(folder: Path) -> TextConfig:
    """The text encoder of a folder: one that `lseg convert` made of a CLIP, or an LSeg's.

    Its paths are as this process can open them.

    Raises:
        CheckpointError: If the folder has none.
    """
    tower = folder / TEXT_FILE
    network = (folder / WEIGHTS_FILE).is_file()
    values = _read_config(folder, WEIGHTS_FILE if network else TEXT_FILE)
    kind = values.pop("architecture", None)
    known = {config.architecture: config for config in (LSegConfig, AlignedConfig)}
    if kind in known:
        try:
            text = known[kind].from_dict(values).text
        except (ConfigError, TypeError) as error:
            raise CheckpointError(
                f"the configuration of {folder} is not usable: {error}"
            ) from error
        if tower.is_file() and text.table is None:
            return dataclasses.replace(text, pretrained=str(tower))
        return located(text, folder)
    if kind != TEXT_ARCHITECTURE or not isinstance(values.get("model"), str):
        raise CheckpointError(
            f"{folder} has no text encoder: expected an LSeg's folder, or what `lseg convert` "
            "makes of a CLIP"
        )
    return TextConfig(values["model"], str(tower))


def _read_config(folder: Path, weights_file: str) -> dict[str, Any]:
    config_file = folder / CONFIG_FILE
    for file in (config_file, folder / weights_file):
        if not file.is_file():
            raise CheckpointError(f"{folder} has no {file.name}; a checkpoint is {ACCEPTED}")
    try:
        values = parse_json(config_file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{config_file} is no configuration: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{config_file} is no configuration: it holds no JSON object")
    return values
