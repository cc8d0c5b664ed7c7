"""The text side of an open_clip model, without its image tower."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lseg.errors import ConfigError


def build_text_tower(model: str, weights: Mapping[str, Tensor]) -> Any:
    """The text side of an open_clip model, without its image tower.

    Args:
        model: open_clip model name, such as `ViT-B-32-quickgelu`.
        weights: State dict of the text side.

    Raises:
        ConfigError: If open_clip has no such model, or the weights are not its.
    """
    return load_tower(empty_text_tower(model), weights, model)


def load_tower(net: Any, weights: Mapping[str, Tensor], name: str) -> Any:
    """The tower, with these weights; all of them and nothing else.

    Raises:
        ConfigError: If they are not its.
    """
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ConfigError(f"the text encoder's weights do not fit {name}: {reason}") from error
    return net


def empty_text_tower(model: str) -> Any:
    """As `build_text_tower`, with random weights.

    Raises:
        ConfigError: If open_clip has no such model, or its text side is no part of open_clip.
    """
    import open_clip

    text, config = text_config(model), open_clip.get_model_config(model)
    if "hf_model_name" in text:
        raise ConfigError(f"the text encoder of {model} is one of transformers, not of open_clip")
    kind = open_clip.model.CustomTextCLIP if has_custom_text(model) else open_clip.model.CLIP
    return tower_like_clip(config["embed_dim"], text, config.get("quick_gelu", False), kind)


def tower_like_clip(
    width: int, text: Mapping[str, Any], quick_gelu: bool = False, kind: Any = None
) -> Any:
    """A text side of open_clip with random weights.

    Args:
        width: Of its vectors.
        text: What open_clip's configurations have as `text_cfg`.
        quick_gelu: Whether it is with OpenAI's activation.
        kind: Its class of the whole model; `CLIP` by default.
    """
    import open_clip

    smallest = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32, "head_width": 64}
    net = (kind or open_clip.model.CLIP)(width, smallest, dict(text), quick_gelu)
    net.visual = torch.nn.Identity()
    net.logit_scale = None  # of CLIP's own training
    return net


def text_config(model: str) -> dict[str, Any]:
    """The text side's part of an open_clip model's configuration.

    Raises:
        ConfigError: If there is no such model, or its configuration cannot be read.
    """
    import open_clip

    try:
        config = open_clip.get_model_config(model)
        found = None if config is None else config["text_cfg"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"the configuration of {model} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"open_clip has no model {model!r}: open_clip.list_models() has them all")
    return found


def has_custom_text(model: str) -> bool:
    """Whether an open_clip model keeps its text tower as a module of its own, named `text`."""
    import open_clip

    config = open_clip.get_model_config(model) or {}
    return bool(config.get("custom_text"))


def quick_gelu_twin(model: str) -> str | None:
    """The open_clip name of the same architecture with OpenAI's activation, if it has one."""
    import open_clip

    twin = f"{model}-quickgelu"
    return twin if twin in open_clip.list_models() else None
