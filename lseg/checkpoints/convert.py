"""From a foreign checkpoint to a native folder: `lseg convert`."""

import dataclasses
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lseg.checkpoints.clip import convert_clip, is_clip
from lseg.checkpoints.foreign import read_state_dict
from lseg.checkpoints.huggingface import convert_huggingface, is_huggingface
from lseg.checkpoints.keymap import Conversion
from lseg.checkpoints.native import load_weights, write_folder, write_text_folder
from lseg.checkpoints.official import (
    SpatialBlockOptions,
    convert_dpt,
    convert_lseg,
    is_official_dpt,
    is_official_lseg,
)
from lseg.config import LSegConfig, NetworkConfig, TextConfig
from lseg.errors import CheckpointError, ConfigError
from lseg.files import write_json
from lseg.models.registry import architecture_name, build_network
from lseg.models.text import build_text_tower

FORMATS = (
    "an LSeg checkpoint of isl-org/lang-seg, a DPT of isl-org/DPT, a Hugging Face DPT folder, or "
    "the weights of a CLIP"
)


@dataclass(frozen=True)
class ConvertOptions:
    """What checkpoints do not say themselves.

    Attributes:
        block: The spatial blocks of an LSeg.
        labels: Class names of a segmentation network; ADE20K's where it has 150 classes.
        size: Shorter side of the input that the network was trained for, if not the usual one.
        depth: `scale`, `shift` and `invert` of a depth network.
        clip_model: open_clip name of a CLIP.
    """

    block: SpatialBlockOptions = field(default_factory=SpatialBlockOptions)
    labels: tuple[str, ...] = ()
    size: int | None = None
    depth: dict[str, Any] = field(default_factory=dict)
    clip_model: str | None = None


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    options: ConvertOptions | None = None,
) -> Conversion:
    """Recognises a checkpoint by its keys and writes the native folder; all of it or nothing.

    Beside the network, `conversion.json` in the folder says what the source was and which of its
    weights were left out, and why.

    Args:
        source: A file, or a Hugging Face folder.
        destination: The folder to make; it must not exist, or be empty.
        options: What the checkpoint does not say.

    Returns:
        What was converted.

    Raises:
        CheckpointError: If the source is of no known kind, truncated, or does not fit, naming the
            first offending key; or if the destination is taken.
    """
    source, destination = Path(source), Path(destination).absolute()
    if destination.exists() and (destination.is_file() or any(destination.iterdir())):
        raise CheckpointError(f"{destination} exists already: give another destination")
    options = options or ConvertOptions()
    conversion = recognise(source, options)
    if options.size is not None and isinstance(conversion.config, NetworkConfig):
        preprocessing = dataclasses.replace(conversion.config.preprocessing, size=options.size)
        config = dataclasses.replace(conversion.config, preprocessing=preprocessing)
        conversion = conversion._replace(config=config)
    verify(conversion, str(source))
    partial = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        weights = {name: _own(tensor) for name, tensor in conversion.weights.items()}
        text = conversion.text and {key: _own(value) for key, value in conversion.text.items()}
        if isinstance(conversion.config, TextConfig):
            write_text_folder(partial, conversion.config, text or {})
        else:
            write_folder(partial, conversion.config, weights, text)
        dropped = {"source": conversion.source, "dropped": conversion.dropped}
        write_json(partial / "conversion.json", dropped)
        partial.replace(destination)
    except (NotADirectoryError, PermissionError) as error:
        raise CheckpointError(f"{destination} cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return conversion


def recognise(source: Path, options: ConvertOptions) -> Conversion:
    """Reads a checkpoint of any known kind.

    Raises:
        CheckpointError: If it is of none.
    """
    if source.is_dir():
        if is_huggingface(source):
            return convert_huggingface(source)
        raise CheckpointError(f"{source} is no Hugging Face DPT folder; accepted are {FORMATS}")
    weights = strip_prefix(read_state_dict(source), "module.")  # DDP's, in open_clip's files
    weights = strip_prefix(weights, "net.")
    keys = set(weights)
    if is_official_lseg(keys):
        return convert_lseg(weights, str(source), options.block)
    if is_official_dpt(keys):
        return convert_dpt(weights, str(source), options.labels, options.depth)
    if is_clip(keys):
        return convert_clip(weights, str(source), options.clip_model)
    example = next(iter(weights))
    raise CheckpointError(
        f"{source} is of no known kind (its first weight is {example!r}); accepted are {FORMATS}"
    )


def _own(tensor: Tensor) -> Tensor:
    """The tensor, contiguous, in memory that it shares with no other; mostly as it is."""
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor.contiguous() if whole else tensor.contiguous().clone()


def strip_prefix(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights without a prefix that all of them have; Lightning puts the attribute's name."""
    if all(key.startswith(prefix) for key in weights):
        return {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights


def verify(conversion: Conversion, source: str) -> None:
    """Makes sure that the network can be built and takes all of the weights.

    Raises:
        CheckpointError: Naming the first key that does not fit.
    """
    config, text = conversion.config, conversion.text
    try:
        if isinstance(config, TextConfig | LSegConfig) and text is not None:
            tower = config if isinstance(config, TextConfig) else config.text
            build_text_tower(tower.model, text)
        if isinstance(config, TextConfig):
            return
        with torch.device("meta"):
            model = build_network(architecture_name(type(config)), config.to_dict())
        load_weights(model, conversion.weights, source, assign=True)
    except ConfigError as error:
        raise CheckpointError(f"{source}: {error}") from error
