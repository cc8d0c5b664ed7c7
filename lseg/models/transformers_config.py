"""The configuration of a backbone of the transformers library, as a part of ours."""

import dataclasses
import difflib
from typing import TYPE_CHECKING, Any

from lseg.config import TrunkConfig
from lseg.errors import ConfigError
from lseg.store.transformers_folder import read_transformers_config, transformers_name
from lseg.text.location import TRANSFORMERS

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

TYPE = "model_type"

OURS = ("out_features", "out_indices", "stage_names", "reshape_hidden_states")
"""What follows from `TrunkConfig.levels`, or is always the same here."""

NEVER = ("auto_map", "quantization_config", "attn_implementation", "experts_implementation")
"""What could make transformers fetch or run foreign code."""


def with_architecture(config: TrunkConfig) -> TrunkConfig:
    """The configuration with all that is needed to build its backbone, wherever it goes.

    Of a backbone `hf:NAME`, the configuration of NAME is read, and what `backbone_options` says
    takes the place of its values; there the result is kept. All others stay as they are.

    Raises:
        ConfigError: If it is no image encoder, or has no such option.
        CheckpointError: If it cannot be read.
    """
    name = transformers_name(config.backbone)
    if name is None or TYPE in config.backbone_options:
        return config
    found = _image_side(_parsed(read_transformers_config(name), config.backbone))
    values = plain_options(found)
    for option in config.backbone_options:
        if option not in values:
            near = difflib.get_close_matches(option, values, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(values)}"
            raise ConfigError(f"backbone_options: {config.backbone} has no {option!r}: {hint}")
    changed = _parsed({**values, **config.backbone_options}, config.backbone)
    return dataclasses.replace(config, backbone_options=plain_options(changed))


def network_config(config: TrunkConfig) -> "PreTrainedConfig":
    """What transformers builds a backbone from.

    Args:
        config: Of `with_architecture`.

    Raises:
        ConfigError: If transformers has no such network, or not with these options.
    """
    return _parsed(config.backbone_options, config.backbone)


def plain_options(found: "PreTrainedConfig") -> dict[str, Any]:
    """What describes a network, without what transformers notes of every model."""
    from transformers import PreTrainedConfig

    common = {*PreTrainedConfig().to_dict(), *OURS, *NEVER} - {TYPE}
    return {key: value for key, value in found.to_dict().items() if key not in common}


def _parsed(values: dict[str, Any], backbone: str) -> "PreTrainedConfig":
    auto = _library()
    kind = values.get(TYPE)
    if not isinstance(kind, str) or kind not in auto.CONFIG_MAPPING:
        near = difflib.get_close_matches(str(kind), auto.CONFIG_MAPPING, n=2)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ConfigError(
            f"{backbone} is a network of the type {kind!r}, which this version of transformers "
            f"does not have{hint}"
        )
    known = {
        key: value
        for key, value in values.items()
        if key not in (*OURS, *NEVER) and not key.startswith("_")
    }
    try:
        return auto.CONFIG_MAPPING[kind].from_dict(known)
    except Exception as error:  # of any class, by the checks of the many configurations
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"transformers cannot read the options of {backbone}: {reason}"
        ) from error


def _image_side(found: "PreTrainedConfig") -> "PreTrainedConfig":
    """Of a model of pictures and words, the image tower; any other as it is."""
    vision = getattr(found, "vision_config", None)
    return found if vision is None else vision


def _library() -> Any:
    """The library's registry of models; the import takes seconds.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        from transformers.models import auto
    except ImportError as error:
        raise ConfigError(
            f'a backbone {TRANSFORMERS}NAME needs transformers: pip install "lseg[hf]"'
        ) from error
    return auto
