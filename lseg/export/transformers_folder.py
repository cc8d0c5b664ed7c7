"""A network for depth or fixed classes as a folder that the transformers library opens as its own.

Written from the same key maps that `lseg convert` reads such folders by, turned around; nothing of
that library is needed for it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lseg.config import DepthConfig, Preprocessing, SegmentationConfig, TrunkConfig
from lseg.convert.huggingface import decoder, depth_anything, dinov2, vit
from lseg.convert.huggingface.content import PREPROCESSOR_FILE
from lseg.convert.keymap import Rule
from lseg.errors import LSegError
from lseg.files import atomic_file, write_json
from lseg.models.backbones import ViTBackbone
from lseg.models.dpt import DPTDepth, DPTSegmentation
from lseg.models.levels import level_scales
from lseg.models.network import Network
from lseg.store.folder import CONFIG_FILE, WEIGHTS_FILE
from lseg.store.tensors import ready_to_store

UNUSED_UNIT = "neck.fusion_stage.layers.0.residual_layer1."
SHOWN_UNIT = "neck.fusion_stage.layers.0.residual_layer2."


class Form(NamedTuple):
    """A network in terms of transformers.

    Attributes:
        options: `config.json`.
        rules: Key map from their names to ours.
        blocks: What stands before the number of a transformer block in their names.
        top: Name of a final norm that no level comes through; None where one does.
    """

    options: dict[str, Any]
    rules: Sequence[Rule]
    blocks: str
    top: str | None


def export_folder(model: Network, folder: Path) -> str:
    """Writes `config.json`, `model.safetensors` and `preprocessor_config.json`.

    Args:
        model: A `DPTDepth` or `DPTSegmentation` with a plain transformer, of a form that
            transformers has: DPT (of patch 16 or 32; on a DINOv2, for depth) or Depth Anything.
        folder: Made if missing; other files in it stay.

    Returns:
        The class of transformers.

    Raises:
        LSegError: If transformers has no class that gives the network's answers.
    """
    form = _form(model)
    weights = dict(_their_weights(model, form))
    processor = _preprocessor(model.config.preprocessing, model.trunk.multiple, form)
    with ExitStack() as files:
        file = files.enter_context(atomic_file(folder / WEIGHTS_FILE))
        save_file(weights, file, {"format": "pt"})
        write_json(files.enter_context(atomic_file(folder / PREPROCESSOR_FILE)), processor)
        write_json(files.enter_context(atomic_file(folder / CONFIG_FILE)), form.options)
    return str(form.options["architectures"][0])


def _form(model: Network) -> Form:
    backbone = model.trunk.backbone
    if not isinstance(model, DPTDepth | DPTSegmentation) or not isinstance(backbone, ViTBackbone):
        raise LSegError(
            f"transformers has no class for a {type(model).__name__} with a "
            f"{model.config.image_encoder}: lseg.export.transformers_models wraps it as one"
        )
    trunk, encoder = model.config.trunk, backbone.vit
    if trunk.odd_grids == "pad":
        return _plain(model, trunk, encoder)
    if isinstance(model, DPTSegmentation):
        raise _impossible("a DPT for segmentation has no encoder of its own", "odd_grids")
    if trunk.odd_grids == "level":
        return _depth_anything(model, trunk, encoder)
    return _dpt_on_dinov2(model, trunk, encoder)


def _plain(model: DPTDepth | DPTSegmentation, trunk: TrunkConfig, encoder: Any) -> Form:
    side = _sizes(encoder)
    _require(trunk.positions == "bilinear" and not trunk.level_norm, "positions or level_norm")
    _require(side["patch_size"] in (16, 32), "a patch size but 16 or 32")
    options = {
        **side,
        **_dpt_options(model, trunk),
        "intermediate_size": encoder.blocks[0].mlp.fc1.out_features,
        "backbone_out_indices": list(trunk.levels),
    }
    depth = isinstance(model, DPTDepth)
    head = decoder.DEPTH_RULES if depth else decoder.SEGMENTATION_RULES
    rules = (*head, *vit.RULES, *decoder.NECK_RULES)
    return Form(options, rules, vit.BLOCKS, "dpt.layernorm")


def _dpt_on_dinov2(model: DPTDepth, trunk: TrunkConfig, encoder: Any) -> Form:
    options = {**_dpt_options(model, trunk), "backbone_config": _dinov2(trunk, encoder)}
    rules = (*decoder.DEPTH_RULES, *_dinov2_rules(encoder, trunk), *decoder.NECK_RULES)
    return Form(options, rules, dinov2.BLOCKS, _unused_top(trunk))


def _depth_anything(model: DPTDepth, trunk: TrunkConfig, encoder: Any) -> Form:
    config, metric = model.config, model.config.activation == "sigmoid"
    _require(trunk.readout == "ignore", "a readout")
    _require(not trunk.batch_norm and trunk.unit_bias, "batch_norm or unit_bias")
    _require(not (config.bins or config.invert or config.mixes), "bins, invert or mixes")
    _require(config.max_depth == int(config.max_depth), "a max_depth that is no whole number")
    options = {
        "model_type": "depth_anything",
        "architectures": ["DepthAnythingForDepthEstimation"],
        "backbone_config": _dinov2(trunk, encoder),
        "patch_size": encoder.patch_embed.patch_size[0],
        "reassemble_hidden_size": encoder.embed_dim,
        "head_hidden_size": config.hidden,
        "depth_estimation_type": "metric" if metric else "relative",
        "max_depth": int(config.max_depth),
        **_neck_options(model, trunk),
    }
    rules = (
        *depth_anything.HEAD_RULES,
        *_dinov2_rules(encoder, trunk),
        *decoder.NECK_RULES,
    )
    return Form(options, rules, dinov2.BLOCKS, _unused_top(trunk))


def _dpt_options(model: DPTDepth | DPTSegmentation, trunk: TrunkConfig) -> dict[str, Any]:
    """What all folders of the type "dpt" have."""
    config = model.config
    options = {
        "model_type": "dpt",
        "is_hybrid": False,
        "readout_type": trunk.readout,
        "use_batch_norm_in_fusion_residual": trunk.batch_norm,
        "use_bias_in_fusion_residual": trunk.unit_bias and not trunk.batch_norm,
        "use_auxiliary_head": False,
        **_neck_options(model, trunk),
    }
    _require(trunk.readout_activation == "gelu", "a readout_activation but gelu")
    if isinstance(config, SegmentationConfig):
        _require(not config.plain_head, "plain_head")
        names = dict(enumerate(config.labels))
        return {
            **options,
            "architectures": ["DPTForSemanticSegmentation"],
            "id2label": {str(index): name for index, name in names.items()},
            "label2id": {name: index for index, name in names.items()},
        }
    assert isinstance(config, DepthConfig)
    _require(not (config.bins or config.invert), "bins or invert")
    _require(config.activation == "relu" and config.max_depth == 1, "activation or max_depth")
    _require(config.hidden == 32, "a head that is not 32 wide")
    _require(not config.mixes or trunk.features == 256, "mixes with features but 256")
    return {
        **options,
        "architectures": ["DPTForDepthEstimation"],
        "add_projection": config.mixes,
    }


def _neck_options(model: Network, trunk: TrunkConfig) -> dict[str, Any]:
    factors = level_scales(model.trunk.backbone.levels)
    return {
        "reassemble_factors": [round(scale) if scale >= 1 else scale for scale in factors],
        "neck_hidden_sizes": list(trunk.level_widths),
        "fusion_hidden_size": trunk.features,
        "head_in_index": -1,
    }


def _dinov2(trunk: TrunkConfig, encoder: VisionTransformer) -> dict[str, Any]:
    """`backbone_config` of a DINOv2."""
    _require(trunk.positions == "bicubic", "positions but bicubic")
    gated = _is_gated(encoder)
    hidden, width = encoder.blocks[0].mlp.fc2.in_features, encoder.embed_dim
    ratio = 4 if gated else hidden // width
    found = dinov2.perceptron_width({"hidden_size": width, "mlp_ratio": ratio}, gated)
    _require(found == (2 * hidden if gated else hidden), "mlp_ratio")
    return {
        "model_type": "dinov2",
        **_sizes(encoder),
        "mlp_ratio": ratio,
        "use_swiglu_ffn": gated,
        "apply_layernorm": trunk.level_norm,
        "reshape_hidden_states": False,
        "out_indices": [level + 1 for level in trunk.levels],
    }


def _sizes(encoder: Any) -> dict[str, Any]:
    """What plain encoders and DINOv2 have in common, read from the modules themselves."""
    sides = encoder.patch_embed.img_size
    _require(sides[0] == sides[1], "an img_size that is no square")
    acts = [block.mlp.act for block in encoder.blocks if not _is_gated(encoder)]
    exact = all(isinstance(act, nn.GELU) and act.approximate == "none" for act in acts)
    _require(exact, "an activation but GELU")
    norms = [module for module in encoder.modules() if isinstance(module, nn.LayerNorm)]
    _require(all(norm.eps == 1e-6 for norm in norms), "norms with another epsilon")
    attention = encoder.blocks[0].attn
    return {
        "hidden_size": encoder.embed_dim,
        "num_hidden_layers": len(encoder.blocks),
        "num_attention_heads": attention.num_heads,
        "image_size": sides[0],
        "patch_size": encoder.patch_embed.patch_size[0],
        "qkv_bias": attention.qkv.bias is not None,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
    }


def _is_gated(encoder: Any) -> bool:
    perceptron = encoder.blocks[0].mlp
    return bool(perceptron.fc1.out_features == 2 * perceptron.fc2.in_features)


def _dinov2_rules(encoder: Any, trunk: TrunkConfig) -> Sequence[Rule]:
    """Of two names for the layers of a perceptron, those of its kind."""
    other = r"mlp\.fc" if _is_gated(encoder) else r"mlp\.weights"
    rules = tuple(rule for rule in dinov2.RULES if other not in rule.pattern)
    return (*rules, dinov2.KEPT_NORM) if trunk.level_norm else rules


def _unused_top(trunk: TrunkConfig) -> str | None:
    return None if trunk.level_norm else "backbone.layernorm"


def _their_weights(model: Network, form: Form) -> Iterator[tuple[str, Tensor]]:
    """Each weight under its name there; what never runs there is zero, a norm's scale one."""
    attention = re.compile(rf"{re.escape(form.blocks)}\d+\.attention\.attention\.(qkv)\.\w+")
    for name, value in model.state_dict().items():
        found = (rule.original(name) for rule in form.rules)
        key = next((key for key in found if key is not None), None)
        if key is None:
            raise _impossible("no place for it", f"the weight {name!r}")
        value = ready_to_store(value, None)
        if match := attention.fullmatch(key):
            start, end = match.span(1)
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                yield key[:start] + part + key[end:], third.clone()
            continue
        yield key, value
        if key.startswith(SHOWN_UNIT):
            yield key.replace(SHOWN_UNIT, UNUSED_UNIT), torch.zeros_like(value)
    width = model.trunk.backbone.levels[0].width
    if form.top is not None:
        yield f"{form.top}.weight", torch.ones(width)
        yield f"{form.top}.bias", torch.zeros(width)
    if "backbone_config" in form.options:
        yield "backbone.embeddings.mask_token", torch.zeros(1, width)


def _preprocessor(values: Preprocessing, multiple: int, form: Form) -> dict[str, Any]:
    """`preprocessor_config.json`; a plain DPT takes squares alone there."""
    return {
        "image_processor_type": "DPTImageProcessor",
        "do_resize": True,
        "size": {"height": values.size, "width": values.size},
        "keep_aspect_ratio": "backbone_config" in form.options,
        "ensure_multiple_of": multiple,
        "resample": 2,  # bilinear
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(values.mean),
        "image_std": list(values.std),
    }


def _require(fits: bool, what: str) -> None:
    if not fits:
        raise _impossible("its class there has none", what)


def _impossible(reason: str, what: str) -> LSegError:
    return LSegError(
        f"the network cannot be one of transformers, for {what} ({reason}): "
        "lseg.export.transformers_models wraps it as one"
    )
