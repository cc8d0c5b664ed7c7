"""What every layout of an encoder is put together from: its files, its words, its licence."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lseg.errors import CheckpointError
from lseg.files import read_json
from lseg.store.aligned.vit import PROJECT, VIT
from lseg.store.folder import StoredNetwork

ARCHITECTURE = "aligned"

PHOTO = ("a photo of a {}.",)

TCL = (
    "itap of a {}.",
    "a bad photo of a {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
    "a photo of many {}.",
    "a photo of {}s.",
)
"""Of TCL (arXiv:2212.00785), which TIPSv2's authors segment with."""


def stored_encoder(
    folder: Path,
    encoder: Mapping[str, Any],
    weights: dict[str, Tensor],
    text: Mapping[str, Any],
    preprocessing: Mapping[str, Any],
    logit_scale: float,
    description: str,
    licence: str = "",
) -> StoredNetwork:
    """An encoder as an `AlignedEncoder` is stored.

    Args:
        folder: That it was read from.
        encoder: Its `EncoderConfig`, in plain values.
        weights: From `image_weights`.
        text: Its `TextConfig`.
        preprocessing: Its `Preprocessing`.
        logit_scale: Factor of the cosine.
        description: What it knows.
        licence: Of the weights, where the folder's card does not tell it.
    """
    project, licence = weights.get(f"{PROJECT}weight"), card_licence(folder) or licence
    said = f" Licence of the weights: {licence}." if licence else ""
    width = weights[f"{VIT}blocks.0.attn.proj.weight"].shape[0]
    config = {
        "encoder": {**encoder, "projected": project is not None},
        "preprocessing": dict(preprocessing),
        "text": dict(text),
        "embed_dim": width if project is None else project.shape[0],
        "logit_scale": logit_scale,
        "description": description + said,
        "licence": licence,
    }
    return StoredNetwork(str(folder), ARCHITECTURE, config, weights, folder=folder)


def card_licence(folder: Path) -> str:
    """The licence that the front matter of a folder's model card names; empty if it does not."""
    try:
        card = (folder / "README.md").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    front = re.match(r"---\n(.*?)\n---", card, re.DOTALL)
    found = re.search(r"^license:\s*([\w.+-]+)\s*$", front[1], re.MULTILINE) if front else None
    return found[1] if found else ""


def section(values: Mapping[str, Any], name: str, file: Path) -> dict[str, Any]:
    """A JSON object within another one.

    Raises:
        CheckpointError: If it is missing.
    """
    found = values.get(name)
    if not isinstance(found, dict):
        raise CheckpointError(f"{file} has no section {json.dumps(name)}")
    return found


def exponent(weights: Mapping[str, Tensor], name: str, default: float) -> float:
    """The exponential of a single stored number, such as CLIP's logit scale."""
    found = weights.get(name)
    return default if found is None else math.exp(float(found.float().reshape(-1)[0]))


def zeros(count: int) -> Tensor:
    """A bias that adds nothing."""
    return torch.zeros(count)


def refuse_tokenizer_code(folder: Path) -> None:
    """Refuses a folder whose tokenizer is code of its own, which the transformers library may run.

    Raises:
        CheckpointError: If it is.
    """
    file = folder / "tokenizer_config.json"
    if file.is_file() and "auto_map" in read_json(file):
        raise CheckpointError(
            f"{file} names code of the repository as the tokenizer, which is never run here"
        )
