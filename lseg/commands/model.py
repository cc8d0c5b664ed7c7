"""The model that options name, and how it is shown pictures."""

from collections.abc import Sequence
from typing import TypeVar

import torch

from lseg.checkpoints.load import load_model
from lseg.commands.options.shared import AskingOptions, ModelOptions, ViewOptions
from lseg.config import Attention, TextConfig
from lseg.errors import CheckpointError, ConfigError
from lseg.inference.sharding import local_index
from lseg.inference.views import InferenceConfig
from lseg.models.acceleration import accelerate
from lseg.models.aligned.network import AlignedEncoder
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.paths import resolve_data_path
from lseg.store.folder import read_text_config
from lseg.text.asking import Asking, other_place
from lseg.text.encoder import LabelEncoder
from lseg.text.rules import named_rule
from lseg.text.templates import with_templates

NetworkT = TypeVar("NetworkT", bound=Network)


def model_from(options: ModelOptions, kind: type[NetworkT]) -> NetworkT:
    """Loads `--checkpoint` onto `--device`, with `--text-table` in place of its text encoder.

    That is a label-embedding table, the folder of another LSeg, or one that `lseg convert` made of
    a CLIP.

    Raises:
        CheckpointError: If the checkpoint cannot be loaded, or is not of this kind.
        ConfigError: If there is no such device, or `--templates` cannot be had.
    """
    loaded = load_model(options.checkpoint, device_from(options.device))
    if not isinstance(loaded, kind):
        raise CheckpointError(
            f"{options.checkpoint} is of the kind {type(loaded).__name__}, and this command takes "
            f"the kind {kind.__name__}: give another --checkpoint"
        )
    if options.text_table is not None:
        replace_text(loaded, options.text_table)
    if options.templates is not None:
        set_templates(loaded, options.templates)
    if options.attention is not None:
        set_attention(loaded, options.attention)
    accelerate(loaded, options.precision, options.compile)
    return loaded


def inference_config(options: ViewOptions) -> InferenceConfig:
    """How pictures are shown to the network.

    Raises:
        ConfigError: If a value is out of range.
    """
    return InferenceConfig(
        options.size,
        (1.0,) if options.scales is None else tuple(options.scales),
        bool(options.flip),
        options.window,
        batch=options.window_batch,
        guided=bool(options.guided),
    )


def replace_text(model: Network, table: str) -> None:
    """Puts what `--text-table` names in place of a network's text encoder, if it has one."""
    if isinstance(model, LSeg):
        model.text = LabelEncoder(text_from(table), model.config.embed_dim)


def set_templates(model: Network, templates: str) -> None:
    """Has labels put into other templates, where a network has a text side."""
    if isinstance(model, LSeg):
        model.text = with_templates(model.text, templates)


def set_attention(model: Network, attention: Attention) -> None:
    """Has an encoder's last block attend in another way.

    Raises:
        ConfigError: If the network is none.
    """
    if not isinstance(model, AlignedEncoder):
        raise ConfigError(
            f"--attention is for encoders without a decoder, and this is of the kind "
            f"{type(model).__name__}: leave it out"
        )
    model.set_attention(attention)


def text_from(table: str) -> TextConfig:
    """What `--text-table` names: a table, the folder of an LSeg, or that of a converted CLIP."""
    path = resolve_data_path(table)
    return read_text_config(path) if path.is_dir() else TextConfig(table=table)


def asking_from(options: AskingOptions, labels: Sequence[str] | None = None) -> Asking:
    """How labels are asked for.

    Raises:
        ConfigError: If `--other` names no rule, or is given where none of the labels is other.
    """
    if options.other != "auto" and labels is not None and other_place(labels) is None:
        raise ConfigError(
            f"--other {options.other} says how `other` is asked, but --labels names no other: "
            "add it"
        )
    return Asking(options.synonyms, named_rule(options.other))


def device_from(name: str) -> torch.device:
    """A device by name; `auto` is the accelerator, if there is one.

    Of several accelerators a process of torchrun has its own, where none is named by number.

    Raises:
        ConfigError: If it does not exist here.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if found is None else torch.device(found.type, local_index())
    try:
        found = torch.device(name)
        if found.type != "cpu" and found.index is None:
            found = torch.device(found.type, local_index())
        torch.empty(0, device=found)
        return found
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"no device {name!r} here: use cpu, or auto") from error
