"""From a configuration to the text encoder that it names."""

from pathlib import Path

from lseg.config import TextConfig
from lseg.text.clip import OpenClipText
from lseg.text.dinotxt import DinoTxtText
from lseg.text.location import DINOTXT, TRANSFORMERS
from lseg.text.source import TextEncoder
from lseg.text.transformers import TransformersText


def open_encoder(config: TextConfig, tower: Path | None = None) -> TextEncoder:
    """Builds the text encoder, now.

    Args:
        config: Of `located`.
        tower: As `OpenClipText`.

    Raises:
        ConfigError: If it cannot be had.
    """
    if config.model.startswith(TRANSFORMERS):
        return TransformersText(config.model)
    if config.model.startswith(DINOTXT):
        return DinoTxtText(config.model)
    return OpenClipText(config.model, config.pretrained, tower)
