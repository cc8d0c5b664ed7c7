"""The text encoder."""

from dataclasses import dataclass
from typing import Any, Self

from lseg.errors import ConfigError, shown
from lseg.plain import built


@dataclass(frozen=True)
class TextConfig:
    """Where label vectors come from.

    Attributes:
        model: open_clip model name, `local-dir:FOLDER`, `hf:NAME` (a model of the transformers
            library: a folder, or a Hub id), or `tiny` (the embedded CLIP).
        pretrained: open_clip tag or the path of a weight file; None, or left aside, where `model`
            implies it.
        table: A label-embedding table (`.safetensors`) that stands in for the encoder. Relative
            paths are looked up beside the file that holds them (a model folder's configuration),
            under the environment variable LSEG_DATA, then here.
        templates: Prompt templates; `{}` is the label, all other braces are text. LSeg uses the
            bare name.
    """

    model: str = "ViT-B-32"
    pretrained: str | None = "openai"
    table: str | None = None
    templates: tuple[str, ...] = ("{}",)

    def __post_init__(self) -> None:
        """Refuses templates without a place for the label."""
        if not self.templates or not all("{}" in template for template in self.templates):
            raise ConfigError(
                f"templates are {shown(self.templates)}: each needs a {{}} for the label"
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From plain values.

        Raises:
            ConfigError: If a key is unknown, or a value of another type.
        """
        return built(cls, values, cls.__name__)
