"""From a foreign checkpoint to a native folder: `lseg convert`."""

import dataclasses
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from lseg.config import LSegConfig, NetworkConfig, TextConfig
from lseg.convert.encoder import read_encoder
from lseg.convert.keymap import Conversion, Source
from lseg.convert.recognise import ConvertOptions, recognise
from lseg.errors import CheckpointError, ConfigError, OutputError
from lseg.files import write_json
from lseg.models.architectures import build_network
from lseg.paths import user_path
from lseg.store.folder import write_folder, write_text_folder
from lseg.store.tensors import load_weights, refuse_valueless
from lseg.text.tower import empty_text_tower


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    options: ConvertOptions | None = None,
) -> Conversion:
    """Recognises a checkpoint by its keys and writes the native folder; all of it or nothing.

    Beside the network, `conversion.json` in the folder says what the source was and which of its
    weights were left out, and why; but for encoders of pictures and texts, which keep all.

    Args:
        source: A file, a Hugging Face folder, or an encoder of pictures and texts.
        destination: The folder to make; it must not exist, or be empty.
        options: What the checkpoint does not say.

    Returns:
        What was converted.

    Raises:
        CheckpointError: If the source is of no known kind, truncated, or does not fit, naming the
            first offending key; or if the destination is taken, or cannot be written.
    """
    source = user_path(source, CheckpointError)
    destination = user_path(destination, CheckpointError).absolute()
    if destination.exists() and (destination.is_file() or any(destination.iterdir())):
        raise CheckpointError(f"{destination} exists already: give another destination")
    options = options or ConvertOptions()
    encoder = read_encoder(source, options)
    if encoder is not None:
        with _new_folder(destination) as partial:
            encoder.save_pretrained(partial)
        weights = encoder.state_dict()
        return Conversion(encoder.config.description, encoder.config, weights, None, {})
    conversion, origin = recognise(source, options)
    if options.size is not None and isinstance(conversion.config, NetworkConfig):
        preprocessing = dataclasses.replace(conversion.config.preprocessing, size=options.size)
        config = dataclasses.replace(conversion.config, preprocessing=preprocessing)
        conversion = conversion._replace(config=config)
    verify_conversion(conversion, origin)
    with _new_folder(destination) as partial:
        weights = {name: _own(tensor) for name, tensor in conversion.weights.items()}
        text = conversion.text and {key: _own(value) for key, value in conversion.text.items()}
        if isinstance(conversion.config, TextConfig):
            write_text_folder(partial, conversion.config, text or {})
        else:
            write_folder(partial, conversion.config, weights, text)
        dropped = {"source": conversion.source, "dropped": conversion.dropped}
        write_json(partial / "conversion.json", dropped)
    return conversion


@contextmanager
def _new_folder(destination: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name when all is there."""
    partial = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        partial.replace(destination)
    except (OSError, OutputError) as error:
        cause = error.__cause__ or error  # an OutputError names a file in the temporary folder
        reason = getattr(cause, "strerror", None) or cause
        raise CheckpointError(f"{destination} cannot be written: {reason}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _own(tensor: Tensor) -> Tensor:
    """The tensor, contiguous, in memory that it shares with no other; mostly as it is."""
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor.contiguous() if whole else tensor.contiguous().clone()


def verify_conversion(conversion: Conversion, source: Source) -> None:
    """Makes sure that the network can be built and takes all of the weights.

    Everything is built without memory.

    Raises:
        CheckpointError: Naming the first key that does not fit, as the source has it.
    """
    config, text = conversion.config, conversion.text
    refuse_valueless({**conversion.weights, **(text or {})}, str(source))
    try:
        if isinstance(config, TextConfig) and text is not None:
            _verify_tower(config, text, conversion, source, "")
        if isinstance(config, LSegConfig) and text is not None:
            _verify_tower(config.text, text, conversion, source, "text.")
        if isinstance(config, TextConfig):
            return
        with torch.device("meta"):
            model = build_network(config)
    except ConfigError as error:
        raise CheckpointError(f"{source}: {error}") from error

    def called(name: str) -> str:
        return source.key(conversion.original(name))

    load_weights(model, conversion.weights, str(source), assign=True, called=called)


def _verify_tower(
    config: TextConfig, text: dict[str, Tensor], conversion: Conversion, source: Source, part: str
) -> None:
    with torch.device("meta"):
        tower = empty_text_tower(config.model)

    def called(name: str) -> str:
        return source.key(conversion.original(part + name))

    name = f"{source} (text encoder {config.model})"
    load_weights(tower, text, name, assign=True, called=called)
