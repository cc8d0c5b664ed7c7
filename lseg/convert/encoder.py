"""Encoders of pictures and texts, which are read as they are: a native copy of one."""

import dataclasses
from pathlib import Path

from lseg.convert.recognise import ConvertOptions, refuse_others
from lseg.models.aligned.network import AlignedEncoder
from lseg.store.aligned.layouts import encoder_at


def read_encoder(source: Path, options: ConvertOptions) -> AlignedEncoder | None:
    """The encoder that a file or folder holds; None where it holds anything else.

    Raises:
        CheckpointError: If it is damaged, or an option has no use for it.
    """
    stored = encoder_at(source)
    if stored is None:
        return None
    refuse_others(options, "an encoder of pictures and texts", frozenset({"size"}))
    encoder = AlignedEncoder.from_stored(stored)
    if options.size is not None:
        preprocessing = dataclasses.replace(encoder.config.preprocessing, size=options.size)
        encoder.config = dataclasses.replace(encoder.config, preprocessing=preprocessing)
    return encoder
