"""From configuration to modules: the one place that names concrete classes."""

import typing
from collections.abc import Iterable
from typing import Any

import torch
from timm.models.beit import Beit
from timm.models.eva import Eva
from timm.models.swin_transformer import SwinTransformer
from timm.models.swin_transformer_v2 import SwinTransformerV2
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from lseg.config import Block, LSegConfig, TrunkConfig
from lseg.errors import ConfigError
from lseg.models.backbones import HybridBackbone, PyramidBackbone, ViTBackbone
from lseg.models.beit import BeitBackbone
from lseg.models.fusion import Fusion
from lseg.models.levels import Backbone, level_scales
from lseg.models.reassemble import READOUTS, Reassemble, ReassembleStep, TakeMap, TakeMapInContext
from lseg.models.regularization import ACTIVATIONS, SpatialBlock
from lseg.models.rotary import EvaBackbone
from lseg.models.timm_names import create_timm_model, timm_name
from lseg.models.transformers_backbone import TransformersBackbone
from lseg.models.trunk import Trunk
from lseg.store.transformers_folder import transformers_name

WINDOWED = (SwinTransformer, SwinTransformerV2)


def build_backbone(config: TrunkConfig, **timm_options: Any) -> Backbone:
    """The image encoder named by `config.backbone`.

    Args:
        config: Backbone name, options and levels; of `with_architecture`.
        timm_options: Further arguments of `timm.create_model`, such as `pretrained`.

    Raises:
        ConfigError: If timm or transformers has no such model, or not with these options and
            levels.
    """
    if len(config.levels) != 4:
        raise ConfigError(f"levels are {config.levels}: a DPT takes four")
    if transformers_name(config.backbone) is not None:
        _refuse_token_options(config)
        return TransformersBackbone(config)
    name, options = timm_name(config.backbone), {**config.backbone_options, **timm_options}
    with torch.device("meta"):  # costs nothing, and tells what kind of network it is
        probe = create_timm_model(name, config.backbone_options)
    if not isinstance(probe, VisionTransformer) or is_hybrid(probe):
        _refuse_token_options(config)
    if isinstance(probe, Eva):
        vit = create_timm_model(name, {**options, "dynamic_img_size": True})
        return EvaBackbone(vit, config.levels)
    if isinstance(probe, Beit):
        return BeitBackbone(create_timm_model(name, options), config.levels)
    if not isinstance(probe, VisionTransformer):
        if isinstance(probe, WINDOWED):
            options = {**options, "strict_img_size": False}  # masks of windows for any size
        net = create_timm_model(name, options, features_only=True, out_indices=config.levels)
        return PyramidBackbone(net, name)
    # Positions are resampled by us; timm must not do it a second time.
    vit = create_timm_model(name, {**options, "dynamic_img_size": False})
    if is_hybrid(vit):
        return HybridBackbone(vit, config.levels)
    return ViTBackbone(vit, config.levels, config.level_norm, config.positions)


def build_trunk(config: TrunkConfig, backbone: Backbone | None = None) -> Trunk:
    """Backbone, reassemble and fusion, sized from the backbone's facts.

    Raises:
        ConfigError: If the readout needs a class token that the backbone does not have.
    """
    backbone = backbone or build_backbone(config)
    _check_choice("readout", config.readout, READOUTS)
    has_tokens = any(level.tokens for level in backbone.levels)
    if has_tokens and not backbone.has_readout and config.readout != "ignore":
        raise ConfigError(
            f"{config.backbone} has no class token, so readout {config.readout!r} is impossible: "
            "use readout 'ignore'"
        )
    reassemble: list[ReassembleStep] = []
    widths: list[int] = []
    scales = level_scales(backbone.levels)
    if config.context and backbone.levels[-1].tokens:
        raise ConfigError(
            f"context is for image encoders that give feature maps; {config.backbone} gives "
            "tokens: leave it out"
        )
    for level, width, scale in zip(backbone.levels, config.level_widths, scales, strict=True):
        if level.tokens:
            reassemble.append(
                Reassemble(level.width, width, scale, config.readout, config.readout_activation)
            )
            widths.append(width)
        else:
            reassemble.append(TakeMap())
            widths.append(level.width)
    if config.context:
        reassemble[-1] = TakeMapInContext(widths[-1], config.features)
    doubles = config.odd_grids == "double"
    fusion = Fusion(widths, config.features, config.batch_norm, config.unit_bias, doubles)
    return Trunk(backbone, reassemble, fusion, config.odd_grids)


def build_spatial_block(config: LSegConfig) -> nn.Module:
    """The block that regularises logits, or the identity.

    Raises:
        ConfigError: If the depth is below 1.
    """
    _check_choice("block", config.block, typing.get_args(Block))
    _check_choice("block_activation", config.block_activation, ACTIVATIONS)
    if config.block == "none":
        return nn.Identity()
    if config.block_depth < 1:
        raise ConfigError(f"block_depth is {config.block_depth}: it must be at least 1")
    return SpatialBlock(config.block, config.block_depth, config.block_activation)


def _refuse_token_options(config: TrunkConfig) -> None:
    if config.level_norm or config.positions != "bilinear":
        raise ConfigError(
            f"level_norm and positions are for plain transformers: leave them out for "
            f"{config.backbone}"
        )


def _check_choice(field: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{field} is {value!r}: choose one of {', '.join(choices)}")


def is_hybrid(vit: VisionTransformer) -> bool:
    """Whether the patches of `vit` come out of a convolutional stem."""
    return hasattr(vit.patch_embed, "backbone")
