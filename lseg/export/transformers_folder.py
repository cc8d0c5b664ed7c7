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
from torch import Tensor

from lseg.config import DepthConfig, Preprocessing, SegmentationConfig, TrunkConfig
from lseg.convert.huggingface import decoder, depth_anything, vit, zoedepth
from lseg.convert.huggingface.content import PREPROCESSOR_FILE
from lseg.convert.keymap import Rule
from lseg.errors import LSegError
from lseg.export.transformers_encoders import (
    EncoderForm,
    encoder_form,
    impossible,
    plain_sizes,
    require,
)
from lseg.files import atomic_file, write_json
from lseg.models.backbones import ViTBackbone
from lseg.models.beit import BeitBackbone
from lseg.models.dpt import DPTDepth, DPTSegmentation
from lseg.models.levels import level_scales
from lseg.models.network import Network
from lseg.models.zoedepth.network import ZoeDepth
from lseg.store.folder import CONFIG_FILE, WEIGHTS_FILE
from lseg.store.tensors import ready_to_store

UNUSED_UNIT = "neck.fusion_stage.layers.0.residual_layer1."
SHOWN_UNIT = "neck.fusion_stage.layers.0.residual_layer2."


class Form(NamedTuple):
    """A network in terms of transformers.

    Attributes:
        options: `config.json`.
        rules: Key map from their names to ours.
        top: Name of a final norm that no level comes through; None where one does.
        has_mask: Whether the encoder has a token for hidden patches there.
    """

    options: dict[str, Any]
    rules: Sequence[Rule]
    top: str | None
    has_mask: bool = False


def export_folder(model: Network, folder: Path) -> str:
    """Writes `config.json`, `model.safetensors` and `preprocessor_config.json`.

    Args:
        model: A `DPTDepth` or `DPTSegmentation` of a form that transformers has: DPT (of patch 16
            or 32; on a DINOv2, a BEiT or a Swin V2, for depth), Depth Anything, or ZoeDepth.
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
    backbone, trunk = model.trunk.backbone, model.config.trunk
    if isinstance(model, DPTDepth | DPTSegmentation):
        if isinstance(backbone, ViTBackbone) and trunk.odd_grids == "pad":
            return _plain(model, trunk, backbone.vit)
        encoder = encoder_form(backbone, trunk)
        if encoder is not None and isinstance(model, DPTSegmentation):
            raise impossible("a DPT for segmentation has no encoder of its own", "its backbone")
        if encoder is not None and isinstance(model, DPTDepth):
            return _on_encoder(model, trunk, encoder)
    raise LSegError(
        f"transformers has no class for a {type(model).__name__} with a "
        f"{model.config.image_encoder}: lseg.export.transformers_models wraps it as one"
    )


def _plain(model: DPTDepth | DPTSegmentation, trunk: TrunkConfig, encoder: Any) -> Form:
    side = plain_sizes(encoder)
    require(trunk.positions == "bilinear" and not trunk.level_norm, "positions or level_norm")
    require(side["patch_size"] in (16, 32), "a patch size but 16 or 32")
    require(not isinstance(model, ZoeDepth), "a ZoeDepth without a BEiT")
    options = {
        **side,
        **_dpt_options(model, trunk),
        "intermediate_size": encoder.blocks[0].mlp.fc1.out_features,
        "backbone_out_indices": list(trunk.levels),
    }
    depth = isinstance(model, DPTDepth)
    head = decoder.DEPTH_RULES if depth else decoder.SEGMENTATION_RULES
    rules = (*head, *vit.RULES, *decoder.NECK_RULES)
    return Form(options, rules, "dpt.layernorm")


def _on_encoder(model: DPTDepth, trunk: TrunkConfig, encoder: EncoderForm) -> Form:
    """A network for depth whose encoder has a configuration of its own."""
    if isinstance(model, ZoeDepth):
        options, head = _zoedepth(model, trunk)
    elif trunk.odd_grids == "level":
        options, head = _depth_anything(model, trunk)
    else:
        options, head = _dpt_options(model, trunk), decoder.DEPTH_RULES
    options = {**options, "backbone_config": encoder.options}
    rules = (*head, *encoder.rules, *decoder.NECK_RULES)
    return Form(options, rules, encoder.top, encoder.has_mask)


def _depth_anything(model: DPTDepth, trunk: TrunkConfig) -> tuple[dict[str, Any], Sequence[Rule]]:
    config, metric = model.config, model.config.activation == "sigmoid"
    backbone = model.trunk.backbone
    require(isinstance(backbone, ViTBackbone), "odd_grids without a DINOv2")
    require(trunk.readout == "ignore", "a readout")
    require(not trunk.batch_norm and trunk.unit_bias, "batch_norm or unit_bias")
    require(not (config.bins or config.invert or config.mixes), "bins, invert or mixes")
    require(config.max_depth == int(config.max_depth), "a max_depth that is no whole number")
    options = {
        "model_type": "depth_anything",
        "architectures": ["DepthAnythingForDepthEstimation"],
        "patch_size": backbone.levels[0].stride,
        "reassemble_hidden_size": backbone.levels[0].width,
        "head_hidden_size": config.hidden,
        "depth_estimation_type": "metric" if metric else "relative",
        "max_depth": int(config.max_depth),
        **_neck_options(model, trunk),
    }
    return options, depth_anything.HEAD_RULES


def _zoedepth(model: ZoeDepth, trunk: TrunkConfig) -> tuple[dict[str, Any], Sequence[Rule]]:
    config, several = model.config, len(model.config.domains) > 1
    require(isinstance(model.trunk.backbone, BeitBackbone), "a ZoeDepth without a BEiT")
    require(trunk.readout == "project" and trunk.odd_grids == "double", "readout or odd_grids")
    require(not config.mixes or trunk.features == 256, "mixes with features but 256")
    least = {"n_bins": config.domain_bins, "min_depth": 1e-3, "max_depth": 10.0}
    options = {
        "model_type": "zoedepth",
        "architectures": ["ZoeDepthForDepthEstimation"],
        **_fusion_options(trunk),
        **_neck_options(model, trunk),
        "num_relative_features": config.hidden,
        "add_projection": config.mixes,
        "bottleneck_features": trunk.features,
        "num_attractors": list(config.attractors),
        "bin_embedding_dim": config.embedding,
        "min_temp": config.coldest,
        "max_temp": config.hottest,
        # Depths that bound nothing, as bins are unbounded; they must be there.
        "bin_configurations": [
            {**least, "name": name} if several else least for name in config.domains
        ],
    }
    if several:
        require(len(config.domains) == 2, "more than two domains")
        require(config.attractors == (zoedepth.ATTRACTORS,) * 4, "attractors but 16")
        require(config.router.width == 128 and config.router.layers == 4, "another router")
        router = (
            config.router.layers,
            config.router.width,
            config.router.hidden,
            config.router.heads,
        )
        options |= dict(zip(zoedepth.ROUTER_DEFAULTS, router, strict=True))
    return options, zoedepth.head_rules(config.domains)


def _dpt_options(model: DPTDepth | DPTSegmentation, trunk: TrunkConfig) -> dict[str, Any]:
    """What all folders of the type "dpt" have."""
    config = model.config
    options = {
        "model_type": "dpt",
        "is_hybrid": False,
        **_fusion_options(trunk),
        "use_auxiliary_head": False,
        **_neck_options(model, trunk),
    }
    if isinstance(config, SegmentationConfig):
        require(not config.plain_head, "plain_head")
        names = dict(enumerate(config.labels))
        return {
            **options,
            "architectures": ["DPTForSemanticSegmentation"],
            "id2label": {str(index): name for index, name in names.items()},
            "label2id": {name: index for index, name in names.items()},
        }
    assert isinstance(config, DepthConfig)
    require(not (config.bins or config.invert), "bins or invert")
    require(config.activation == "relu" and config.max_depth == 1, "activation or max_depth")
    require(config.hidden == 32, "a head that is not 32 wide")
    require(not config.mixes or trunk.features == 256, "mixes with features but 256")
    return {
        **options,
        "architectures": ["DPTForDepthEstimation"],
        "add_projection": config.mixes,
    }


def _fusion_options(trunk: TrunkConfig) -> dict[str, Any]:
    require(trunk.readout_activation == "gelu", "a readout_activation but gelu")
    return {
        "readout_type": trunk.readout,
        "use_batch_norm_in_fusion_residual": trunk.batch_norm,
        "use_bias_in_fusion_residual": trunk.unit_bias and not trunk.batch_norm,
    }


def _neck_options(model: Network, trunk: TrunkConfig) -> dict[str, Any]:
    levels = model.trunk.backbone.levels
    factors = level_scales(levels)
    widths = [
        width if level.tokens else level.width
        for level, width in zip(levels, trunk.level_widths, strict=True)
    ]
    return {
        "reassemble_factors": [round(scale) if scale >= 1 else scale for scale in factors],
        "neck_hidden_sizes": widths,
        "fusion_hidden_size": trunk.features,
        "head_in_index": -1,
    }


def _their_weights(model: Network, form: Form) -> Iterator[tuple[str, Tensor]]:
    """Each weight under its name there; what never runs there is zero, a norm's scale one."""
    joined = re.compile(r".+\.(qkv)\.\w+")
    for name, value in model.state_dict().items():
        found = (rule.original(name) for rule in form.rules)
        key = next((key for key in found if key is not None), None)
        if key is None:
            raise impossible("no place for it", f"the weight {name!r}")
        value = ready_to_store(value, None)
        if match := joined.fullmatch(key):
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
    if form.has_mask:
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
