"""The model that a command line names."""

import argparse
from typing import TypeVar

import torch

from lseg.checkpoints.native import read_text_config
from lseg.config import TextConfig
from lseg.errors import ConfigError
from lseg.models.acceleration import accelerate
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.models.text import LabelEncoder
from lseg.paths import resolve_data_path

NetworkT = TypeVar("NetworkT", bound=Network)


def model_from(options: argparse.Namespace, kind: type[NetworkT]) -> NetworkT:
    """Loads `--checkpoint` onto `--device`, with `--text-table` in place of its text encoder.

    That is a label-embedding table, or a folder that `lseg convert` made of a CLIP.

    Raises:
        CheckpointError: If the checkpoint cannot be loaded, or is not of this kind.
        ConfigError: If there is no such device.
    """
    model = kind.from_pretrained(options.checkpoint, device_from(options.device))
    if isinstance(model, LSeg) and options.text_table is not None:
        path = resolve_data_path(options.text_table)
        text = read_text_config(path) if path.is_dir() else TextConfig(table=options.text_table)
        model.text = LabelEncoder(text, model.config.embed_dim)
    accelerate(model, options.precision, options.compile)
    return model


def device_from(name: str) -> torch.device:
    """A device by name; `auto` is the accelerator, if there is one.

    Raises:
        ConfigError: If it does not exist here.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"no device {name!r} here: use cpu, or auto") from error
