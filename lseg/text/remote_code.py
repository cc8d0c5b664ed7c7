"""Tokenizers that bring a program with them, which is not run here."""

import json
from pathlib import Path
from typing import Any

from lseg.errors import ConfigError
from lseg.parsing import parse_json
from lseg.text.location import FOLDER

HUB = "hf-hub:"
_CONFIG = "open_clip_config.json"


def refuse_remote_code(model: str) -> None:
    """Looks at an open_clip model of somebody's before open_clip does.

    It hands all of `tokenizer_kwargs` to transformers, and with `trust_remote_code` among them that
    runs Python out of the model's folder.

    Args:
        model: As open_clip names it.

    Raises:
        ConfigError: If the model asks for that.
    """
    if "trust_remote_code" in json.dumps(_config(model)):
        raise ConfigError(
            f"the tokenizer of {model!r} is a program (trust_remote_code), which is not run here: "
            "encode the labels where you trust it, and give them as a table, --text-table"
        )


def _config(model: str) -> Any:
    """What describes the model; None where there is nothing, of which open_clip says more."""
    try:
        if model.startswith(FOLDER):
            return parse_json((Path(model.removeprefix(FOLDER)) / _CONFIG).read_text("utf-8"))
        if model.startswith(HUB):
            from huggingface_hub import hf_hub_download  # open_clip would fetch and keep it as well

            repository, _, revision = model.removeprefix(HUB).partition("@")
            file = hf_hub_download(repository, _CONFIG, revision=revision or None)
            return parse_json(Path(file).read_text("utf-8"))
    except (OSError, ValueError):
        pass
    return None
