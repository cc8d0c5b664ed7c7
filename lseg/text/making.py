"""Tables of label vectors that users make: words encoded, and tables put together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from lseg.config import TextConfig
from lseg.errors import ConfigError, LabelError, shown
from lseg.paths import is_file
from lseg.text.location import FOLDER, TRANSFORMERS, located
from lseg.text.opening import open_encoder
from lseg.text.origin import Origin
from lseg.text.table import LabelTable

TEMPLATE = "a photo of a {}"
"""The template of most published tables; words in other ones are not comparable with theirs."""

SAME = 5e-3
"""Distance up to which two unit vectors of one name are equal: both may be of half precision."""

TOLD = ("model", "pretrained", "template")
"""What the metadata of a table must say for others to be put to it."""


class Made(NamedTuple):
    """What `write_table` takes: a vector (C,) by name, and what is said of their making."""

    vectors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def encode_words(words: Sequence[str], config: TextConfig) -> Made:
    """Vectors of words by a text encoder of open_clip or transformers.

    Args:
        words: Different from each other.
        config: Names model, weights and templates.

    Raises:
        ConfigError: If the encoder cannot be had.
    """
    here = located(config)
    encoder = open_encoder(here)
    weights = config.pretrained
    if here.pretrained is not None and is_file(here.pretrained):
        weights = Path(here.pretrained).name  # a table may go to other machines
    origin = Origin(config.model, weights, config.templates, encoder.fingerprint())
    vectors = origin.encode(encoder, words)
    return Made(dict(zip(words, vectors.clone(), strict=True)), origin.metadata())


def default_weights(model: str) -> str | None:
    """The tag of a model of open_clip where none is named: OpenAI's, or the only one.

    Raises:
        ConfigError: If there are several others.
    """
    if model == "tiny" or model.startswith((FOLDER, TRANSFORMERS, "hf-hub:")):
        return None
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(model)
    if "openai" in tags:
        return "openai"
    if len(tags) != 1:
        known = f"one of {', '.join(tags)}, or a weight file" if tags else "a weight file"
        raise ConfigError(f"which weights of {model}? Give --pretrained: {known}")
    return str(tags[0])


def merge(tables: Sequence[LabelTable]) -> Made:
    """All rows of tables that one encoder made with one template, each name once.

    Raises:
        LabelError: If model, weights or template differ or are not told, or two tables have
            different vectors for a name.
    """
    first, *others = tables
    merged = dict(first.vectors)
    for table in others:
        _refuse_other_origin(first, table)
        for name, vector in table.vectors.items():
            known = merged.setdefault(name, vector)
            if (known - vector).norm() > SAME:
                raise LabelError(
                    f"{table.path} has another vector for {shown(name)} than the tables before it: "
                    "its cosine to theirs is "
                    f"{(known @ vector).item():.3f}. Leave the name out of one of them"
                )
    return Made(merged, _common_metadata(tables))


def _refuse_other_origin(one: LabelTable, other: LabelTable) -> None:
    for table in (one, other):
        missing = [key for key in TOLD if key not in table.metadata]
        if missing:
            raise LabelError(
                f"{table.path} does not say its {' and '.join(missing)}: only tables whose "
                "metadata tell model, pretrained and template can be merged"
            )
    for key in (*TOLD, "weights"):
        values = one.metadata.get(key), other.metadata.get(key)
        if None not in values and values[0] != values[1]:
            raise LabelError(
                f"{one.path} and {other.path} cannot be compared: their {key} is {values[0]!r} and "
                f"{values[1]!r}. Encode the words of one again as those of the other"
            )
    widths = [len(next(iter(table.vectors.values()))) for table in (one, other)]
    if widths[0] != widths[1]:
        raise LabelError(
            f"{one.path} is {widths[0]} wide, {other.path} {widths[1]}: they are of two encoders"
        )


def _common_metadata(tables: Sequence[LabelTable]) -> dict[str, str]:
    """What tables say, but for their names; sources are all named."""
    told: dict[str, str] = {}
    for table in tables:
        for key, value in table.metadata.items():
            parts = [told[key]] if key in told else []
            told[key] = "; ".join(dict.fromkeys([*parts, value])) if key == "source" else value
    told.pop("labels", None)
    return told
