"""Which text encoder the vectors of a table are from, and that encoder, where it is at hand."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import ConfigError
from lseg.parsing import parse_json
from lseg.paths import exists, is_file
from lseg.text.location import DINOTXT, FOLDER, TRANSFORMERS, located
from lseg.text.opening import open_encoder
from lseg.text.pretrained import (
    cached_weights,
    hub_in_reach,
    some_clip_is_cached,
    why_out_of_reach,
)
from lseg.text.source import TextEncoder
from lseg.text.table import LabelTable
from lseg.text.transformers import is_kept

AGREE = 0.999
"""Cosine from which an encoder's vectors are those of a table: half precision costs less than a
hundredth of the rest, another activation, template or set of weights more than ten times it."""

COMPARED = 16
"""How many names of a table are encoded for that."""

WEIGHT_FILES = (".safetensors", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class Origin:
    """What made the vectors of a table.

    Attributes:
        model: open_clip model name, `local-dir:FOLDER` or `tiny`.
        pretrained: A tag or the name of a weight file; None where `model` implies it.
        templates: Prompt templates over whose vectors is averaged.
        weights: A hash of the weights, if it is known.
    """

    model: str
    pretrained: str | None
    templates: tuple[str, ...]
    weights: str | None = None

    @classmethod
    def of(cls, table: LabelTable) -> Self:
        """As a table's metadata says.

        Raises:
            ConfigError: If it does not say all that is needed to make more vectors.
        """
        told = table.metadata
        if not told.get("model"):
            raise ConfigError("the table does not say which model its vectors are from")
        templates = _templates(told.get("template", ""))
        if not templates:
            raise ConfigError(
                "the table does not say with which template its vectors were made, or in a way "
                "that only people understand"
            )
        return cls(told["model"], told.get("pretrained") or None, templates, told.get("weights"))

    def metadata(self) -> dict[str, str]:
        """The inverse of `of`: one template is told as it is, several as a JSON list."""
        templates = self.templates
        one = len(templates) == 1
        told = {
            "model": self.model,
            "pretrained": self.pretrained or "",
            "template": templates[0] if one else json.dumps(templates, ensure_ascii=False),
        }
        return told if self.weights is None else {**told, "weights": self.weights}

    def __str__(self) -> str:
        return self.model if self.pretrained is None else f"{self.model} ({self.pretrained})"

    @property
    def command(self) -> str:
        """The options of `lseg labels encode` that make more vectors of this origin."""
        told = ["--clip-model", self.model]
        told += [] if self.pretrained is None else ["--pretrained", self.pretrained]
        return shlex.join([*told, "--template", *self.templates])

    def prompts(self, name: str) -> list[str]:
        """A name in each template."""
        return [template.replace("{}", name) for template in self.templates]

    def encode(
        self, encoder: TextEncoder, names: Sequence[str], device: torch.device | str = "cpu"
    ) -> Tensor:
        """Names to unit vectors (N, C): normalised means over the templates."""
        prompts = [prompt for name in names for prompt in self.prompts(name)]
        vectors = encoder.encode(prompts, torch.device(device))
        return F.normalize(vectors.unflatten(0, (len(names), -1)).mean(1), dim=-1)


def encoder_of(table: LabelTable) -> TextEncoder:
    """The text encoder that made a table, if it can be had: it is kept here, or the Hub answers.

    Raises:
        ConfigError: If it cannot, in the words that go on after "because"; or what can be had
            gives other vectors than the table has.
    """
    origin = Origin.of(table)
    config = located(TextConfig(origin.model, origin.pretrained), table.path.parent)
    _refuse_absent(config)
    encoder = open_encoder(config)
    refuse_other_vectors(table, origin, encoder)
    return encoder


def refuse_other_vectors(table: LabelTable, origin: Origin, encoder: TextEncoder) -> None:
    """Checks that an encoder, with the table's templates, gives the vectors that the table has.

    So weights, activation and templates agree, whatever the metadata say.

    Raises:
        ConfigError: If it does not.
    """
    words = [name for name in table.names if re.fullmatch("[a-z]+", name)] or table.names
    names = words[:: max(1, len(words) // COMPARED)]
    found = origin.encode(encoder, names)
    stored = torch.stack([table.vectors[name] for name in names])
    cosine = 0.0
    if found.shape == stored.shape:
        cosine = (found * stored).sum(1).median().item()
    if cosine < AGREE:
        raise ConfigError(
            f"{origin} gives other vectors than the table has (cosine {cosine:.3f}), so that the "
            "two cannot be compared"
        )


def _refuse_absent(config: TextConfig) -> None:
    """Checks, without waiting, that there is hope to load a text encoder.

    Raises:
        ConfigError: If there is none.
    """
    kept = {FOLDER: "folder", DINOTXT: "file"}
    local = next((scheme for scheme in kept if config.model.startswith(scheme)), None)
    path = config.model.removeprefix(local or "")
    if local is not None and not exists(path):
        raise ConfigError(f"there is no {kept[local]} {path}, the text encoder of the table")
    weights = config.pretrained
    if config.model == "tiny" or local is not None or (weights and is_file(weights)):
        return
    if weights and Path(weights).suffix in WEIGHT_FILES:
        raise ConfigError(f"there is no {weights}, the weights of the table's text encoder")
    if _is_cached(config) or hub_in_reach():
        return
    raise ConfigError(
        f"no weights of {config.model} ({weights}) are kept here, and {why_out_of_reach()}"
    )


def _is_cached(config: TextConfig) -> bool:
    if config.model.startswith(TRANSFORMERS):
        return is_kept(config.model)
    if config.pretrained is None or not some_clip_is_cached():
        return False
    import open_clip  # a second to import

    tag = open_clip.get_pretrained_cfg(config.model, config.pretrained)
    return cached_weights(tag or {}) is not None


def _templates(text: str) -> tuple[str, ...]:
    """Templates of a table's metadata; none where a person describes them."""
    try:
        told = parse_json(text) if text.startswith("[") else [text]
    except ValueError:
        told = [text]
    usable = all(
        isinstance(template, str) and re.fullmatch(r"[^{}]*\{\}[^{}]*", template)
        for template in told
    )
    return tuple(told) if usable else ()
