"""The model that a command line names."""

import argparse
from typing import TypeVar

import torch

from lseg.config import TextConfig
from lseg.errors import ConfigError
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.models.text import LabelEncoder

NetworkT = TypeVar("NetworkT", bound=Network)


def model_from(options: argparse.Namespace, kind: type[NetworkT]) -> NetworkT:
    """Loads `--checkpoint` onto `--device`, with `--text-table` in place of its text encoder.

    Raises:
        CheckpointError: If the checkpoint cannot be loaded, or is not of this kind.
        ConfigError: If there is no such device.
    """
    model = kind.from_pretrained(options.checkpoint, device_from(options.device))
    if isinstance(model, LSeg) and options.text_table is not None:
        text = TextConfig(table=options.text_table)
        model.text = LabelEncoder(text, model.config.embed_dim)
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
