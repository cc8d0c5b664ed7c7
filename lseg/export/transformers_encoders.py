"""Image encoders in terms of transformers: their configuration and names of weights there."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from timm.layers.activations import GELU
from timm.models.swin_transformer_v2 import SwinTransformerV2Stage
from torch import nn

from lseg.config import TrunkConfig
from lseg.convert.huggingface import beit, dinov2, swinv2
from lseg.convert.keymap import Rule
from lseg.errors import LSegError
from lseg.models.backbones import PyramidBackbone, ViTBackbone
from lseg.models.beit import BeitBackbone
from lseg.models.levels import Backbone


class EncoderForm(NamedTuple):
    """An image encoder that transformers has.

    Attributes:
        options: `backbone_config`.
        rules: Key map from their names to ours.
        top: Name of a final norm there that no level comes through; None where there is none.
        has_mask: Whether it has a token for hidden patches there.
    """

    options: dict[str, Any]
    rules: Sequence[Rule]
    top: str | None = None
    has_mask: bool = False


def encoder_form(backbone: Backbone, trunk: TrunkConfig) -> EncoderForm | None:
    """An image encoder that a DPT there may have for its own; None of any other kind.

    Raises:
        LSegError: If transformers has no encoder of its kind with such values.
    """
    if isinstance(backbone, ViTBackbone):
        return dinov2_form(backbone, trunk)
    if isinstance(backbone, BeitBackbone):
        return _beit(backbone, trunk)
    if isinstance(backbone, PyramidBackbone) and _is_swinv2(backbone):
        return _swinv2(backbone, trunk)
    return None


def dinov2_form(backbone: ViTBackbone, trunk: TrunkConfig) -> EncoderForm:
    """A plain transformer as a DINOv2.

    Raises:
        LSegError: As `encoder_form`.
    """
    encoder = backbone.vit
    require(trunk.positions == "bicubic", "positions but bicubic")
    gated = _is_gated(encoder)
    hidden, width = encoder.blocks[0].mlp.fc2.in_features, encoder.embed_dim
    ratio = 4 if gated else hidden // width
    found = dinov2.perceptron_width({"hidden_size": width, "mlp_ratio": ratio}, gated)
    require(found == (2 * hidden if gated else hidden), "mlp_ratio")
    options = {
        "model_type": "dinov2",
        **plain_sizes(encoder),
        "mlp_ratio": ratio,
        "use_swiglu_ffn": gated,
        "apply_layernorm": trunk.level_norm,
        "reshape_hidden_states": False,
        "out_indices": _after(trunk),
    }
    # Of two names for the layers of a perceptron, those of its kind.
    other = r"mlp\.fc" if gated else r"mlp\.weights"
    rules = [rule for rule in dinov2.RULES if other not in rule.pattern]
    if trunk.level_norm:
        return EncoderForm(options, [*rules, dinov2.KEPT_NORM], has_mask=True)
    return EncoderForm(options, rules, "backbone.layernorm", has_mask=True)


def plain_sizes(encoder: Any) -> dict[str, Any]:
    """What plain encoders and DINOv2 have in common, read from the modules themselves.

    Raises:
        LSegError: As `encoder_form`.
    """
    attention = encoder.blocks[0].attn
    return {
        **_transformer_sizes(encoder),
        "qkv_bias": attention.qkv.bias is not None,
    }


def _beit(backbone: BeitBackbone, trunk: TrunkConfig) -> EncoderForm:
    encoder = backbone.vit
    require(len(backbone.tables) == len(encoder.blocks), "shared distances, or none")
    require(encoder.pos_embed is None, "positions that are added")
    require(all(block.gamma_1 is not None for block in encoder.blocks), "blocks without scales")
    require(encoder.blocks[0].attn.q_bias is not None, "attention without bias")
    options = {
        "model_type": "beit",
        **_transformer_sizes(encoder),
        "intermediate_size": encoder.blocks[0].mlp.fc1.out_features,
        "use_relative_position_bias": True,
        "reshape_hidden_states": False,
        "out_indices": _after(trunk),
    }
    return EncoderForm(options, beit.RULES)


def _swinv2(backbone: PyramidBackbone, trunk: TrunkConfig) -> EncoderForm:
    net = backbone.net
    stages = [net[f"layers_{index}"] for index in range(swinv2.STAGES)]
    firsts = [stage.blocks[0] for stage in stages]
    ratio = firsts[0].mlp.fc1.out_features / firsts[0].dim
    options = {
        "model_type": "swinv2",
        "image_size": _square(net["patch_embed"].img_size),
        "patch_size": _square(net["patch_embed"].patch_size),
        "embed_dim": firsts[0].dim,
        "depths": [len(stage.blocks) for stage in stages],
        "num_heads": [block.attn.num_heads for block in firsts],
        "window_size": max(_square(block.window_size) for block in firsts),
        "pretrained_window_sizes": [_square(block.attn.pretrained_window_size) for block in firsts],
        "mlp_ratio": ratio,
        "qkv_bias": firsts[0].attn.q_bias is not None,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "out_indices": _after(trunk),
    }
    blocks = [block for stage in stages for block in stage.blocks]
    _require_gelu(block.mlp.act for block in blocks)
    _require_norms(net, 1e-5)
    require(all(int(ratio * b.dim) == b.mlp.fc1.out_features for b in blocks), "mlp_ratio")
    return EncoderForm(options, swinv2.RULES)


def _is_swinv2(backbone: PyramidBackbone) -> bool:
    return isinstance(dict(backbone.net.named_children()).get("layers_3"), SwinTransformerV2Stage)


def _transformer_sizes(encoder: Any) -> dict[str, Any]:
    gated = _is_gated(encoder)
    _require_gelu(block.mlp.act for block in encoder.blocks if not gated)
    _require_norms(encoder, 1e-6)
    return {
        "hidden_size": encoder.embed_dim,
        "num_hidden_layers": len(encoder.blocks),
        "num_attention_heads": encoder.blocks[0].attn.num_heads,
        "image_size": _square(encoder.patch_embed.img_size),
        "patch_size": encoder.patch_embed.patch_size[0],
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
    }


def _after(trunk: TrunkConfig) -> list[int]:
    """`out_indices`, which count from 1 there."""
    return [level + 1 for level in trunk.levels]


def _is_gated(encoder: Any) -> bool:
    perceptron = encoder.blocks[0].mlp
    return bool(perceptron.fc1.out_features == 2 * perceptron.fc2.in_features)


def _square(sides: Sequence[int]) -> int:
    require(sides[0] == sides[1], "an img_size, patch or window that is no square")
    return int(sides[0])


def _require_gelu(activations: Iterable[nn.Module]) -> None:
    exact = (
        isinstance(act, GELU) or (isinstance(act, nn.GELU) and act.approximate == "none")
        for act in activations
    )
    require(all(exact), "an activation but GELU")


def _require_norms(encoder: nn.Module, epsilon: float) -> None:
    norms = (module for module in encoder.modules() if isinstance(module, nn.LayerNorm))
    require(all(norm.eps == epsilon for norm in norms), "norms with another epsilon")


def require(fits: bool, what: str) -> None:
    """Refuses what transformers' class of a kind does not have.

    Raises:
        LSegError: Naming it, if it does not fit.
    """
    if not fits:
        raise impossible("its class there has none", what)


def impossible(reason: str, what: str) -> LSegError:
    """The error for a network that cannot be one of transformers."""
    return LSegError(
        f"the network cannot be one of transformers, for {what} ({reason}): "
        "lseg.export.transformers_models wraps it as one"
    )
