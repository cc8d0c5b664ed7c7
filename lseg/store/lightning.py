"""Lightning checkpoints of this project: a network among the state of its training."""

import os
import warnings
from pathlib import Path
from typing import Any

import torch

from lseg.config import LSegConfig
from lseg.errors import CheckpointError, shown
from lseg.files import atomic_file, save_torch
from lseg.store.adaptors import SCALE_KEY, merge_adaptors
from lseg.store.folder import ACCEPTED, StoredNetwork

NETWORK_PREFIX = "net."
CONFIG_KEY = "lseg_config"


def note_config(checkpoint: dict[str, Any], config: LSegConfig) -> None:
    """Puts the network's configuration into a checkpoint, so that it can be loaded by itself."""
    checkpoint[CONFIG_KEY] = config.to_dict()


def read_lightning(path: Path) -> StoredNetwork:
    """The network of a `.ckpt` file.

    Raises:
        CheckpointError: As `read_training`, or if something else is among its weights.
    """
    checkpoint = read_training(path)
    weights = {}
    for name, tensor in checkpoint["state_dict"].items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise CheckpointError(
                f"{path} has {shown(name)} among its weights, which is no tensor with a name"
            )
        weights[name.removeprefix(NETWORK_PREFIX)] = tensor
    if SCALE_KEY in checkpoint:
        weights = merge_adaptors(weights, checkpoint[SCALE_KEY])
    return StoredNetwork(
        str(path), LSegConfig.architecture, checkpoint[CONFIG_KEY], weights, folder=path.parent
    )


def write_training(checkpoint: dict[str, Any], path: Path) -> None:
    """Writes a `.ckpt` file whole, or leaves what was there before.

    Raises:
        OutputError: If it cannot be written, as on a full disk.
    """
    with atomic_file(path) as partial:
        save_torch(checkpoint, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())  # after a power failure the name may be there, the content not


def read_training(path: Path) -> dict[str, Any]:
    """All that a `.ckpt` file holds; nothing but tensors and plain values is ever unpickled.

    Raises:
        CheckpointError: If the file is truncated, or was not written by this project.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # the error below says it
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for what is no checkpoint
        raise CheckpointError(
            f"{path} is truncated, no PyTorch checkpoint, or holds more than weights and settings; "
            f"a checkpoint is {ACCEPTED}"
        ) from error
    parts = ("state_dict", CONFIG_KEY)
    if not isinstance(checkpoint, dict) or not all(
        isinstance(checkpoint.get(part), dict) for part in parts
    ):
        raise CheckpointError(
            f"{path} was not written by this project; a checkpoint is {ACCEPTED}. Published LSeg "
            "and DPT checkpoints are converted by: lseg convert SOURCE DESTINATION"
        )
    return checkpoint
