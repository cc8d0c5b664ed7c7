"""Networks of the transformers library: built, filled with weights, and asked for features."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from lseg.config import TrunkConfig
from lseg.errors import CheckpointError, ConfigError
from lseg.models.transformers_config import network_config
from lseg.text.transformers import without_report

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

TOWERS = ("clip_vision_model", "siglip_vision_model")
"""Image towers that `AutoBackbone` does not have, by their type."""


class Features(NamedTuple):
    """What a block or stage gives.

    Attributes:
        values: A map (B, D, h, w), or tokens (B, N, D), those of the patches last.
        token: The class token (B, D), if it is not among the tokens.
    """

    values: Tensor
    token: Tensor | None = None


def build_network(config: TrunkConfig) -> "PreTrainedModel":
    """A network with random weights.

    Args:
        config: Of `with_architecture`.

    Raises:
        ConfigError: If transformers has no such image encoder, or cannot build it so.
    """
    kind, options = _kind(config)
    try:
        return kind(options)
    except Exception as error:  # of any class, by the code of the many networks
        raise _cannot(config, error) from error


def load_network(config: TrunkConfig, weights: dict[str, Tensor]) -> "PreTrainedModel":
    """A network with these weights, in float32.

    Args:
        config: Of `with_architecture`.
        weights: Under the names of any model of transformers that holds the network.

    Raises:
        ConfigError: As `build_network`.
        CheckpointError: If a weight is missing or of another shape.
    """
    kind, options = _kind(config)
    try:
        with without_report():
            net, found = kind.from_pretrained(
                None,
                config=options,
                state_dict=weights,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except Exception as error:
        raise _cannot(config, error) from error
    missing, mismatched = sorted(found["missing_keys"]), sorted(found["mismatched_keys"])
    if missing:
        raise CheckpointError(
            f"the weights are not for {config.backbone}: they lack {missing[0]!r}"
        )
    if mismatched:
        name, given, wanted = mismatched[0]
        raise CheckpointError(
            f"the weights are not for {config.backbone}: {name!r} has shape {tuple(given)}, "
            f"expected {tuple(wanted)}"
        )
    return net


def features_of(net: "PreTrainedModel", pixels: Tensor) -> list[Features]:
    """What the four blocks or stages give that `build_network` was asked for."""
    if net.config.model_type in TOWERS:
        found = net(pixels, output_hidden_states=True, interpolate_pos_encoding=True)
        return [Features(found.hidden_states[index]) for index in net.config.taken]
    found = net(pixels)
    tokens = getattr(found, "cls_tokens", None) or [None] * len(found.feature_maps)
    return [Features(*pair) for pair in zip(found.feature_maps, tokens, strict=True)]


def _kind(config: TrunkConfig) -> tuple[Any, "PreTrainedConfig"]:
    """The class of a network, and what it is built from: told where its four levels are."""
    options = network_config(config)
    from transformers.models import auto

    if options.model_type in TOWERS:
        _refuse_levels(config, options.num_hidden_layers)
        options.vision_use_head = False  # SigLIP's pooling, which no level needs
        options.taken = [level + 1 for level in config.levels]  # 0 is what enters the first block
        return auto.MODEL_MAPPING[type(options)], options
    if type(options) not in auto.MODEL_FOR_BACKBONE_MAPPING or not hasattr(options, "stage_names"):
        raise ConfigError(
            f"{config.backbone} is {options.model_type!r}, which transformers' AutoBackbone does "
            "not have: an image encoder is a DINOv2, DINOv3, BEiT, Swin, ConvNeXt, TIPSv2, "
            "SigLIP, CLIP or another one that it has"
        )
    stem = options.stage_names[0] == "stem"  # before the first block or stage
    _refuse_levels(config, len(options.stage_names) - stem)
    options.reshape_hidden_states = False  # tokens, the class token among them, where there are any
    options.return_class_token = True  # of those that leave it out even so
    options.out_indices = [level + stem for level in config.levels]
    return auto.MODEL_FOR_BACKBONE_MAPPING[type(options)], options


def _refuse_levels(config: TrunkConfig, count: int) -> None:
    levels = list(config.levels)
    if sorted(set(levels)) != levels or not 0 <= levels[0] <= levels[-1] < count:
        raise ConfigError(
            f"levels {tuple(levels)} do not fit {config.backbone}: give rising indices of its "
            f"blocks or stages, from 0 to {count - 1}"
        )


def _cannot(config: TrunkConfig, error: Exception) -> ConfigError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ConfigError(f"transformers cannot build {config.backbone}: {reason}")
