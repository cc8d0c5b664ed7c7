"""The authors' checkpoints: isl-org/lang-seg (LSeg) and isl-org/DPT, recognised by their keys.

Both have one layout: `pretrained` (timm's ViT, hybrid or ResNet-101, with the reassemble steps) and
`scratch` (decoder and head). LSeg's Lightning files put `net.` before every key and hold a whole
CLIP, of which the text side is kept.
"""

import dataclasses
import math
from typing import Any

from torch import Tensor

from lseg.config import (
    Activation,
    Block,
    DepthConfig,
    LSegConfig,
    NetworkConfig,
    SegmentationConfig,
    TextConfig,
    TrunkConfig,
)
from lseg.convert.keymap import Conversion, Rule, Source, rename_keys, shape_of, take_renamed
from lseg.data.sets.label_table import read_labels
from lseg.errors import CheckpointError

UNUSED_TOP = "the transformer's final norm and classifier: levels are taken before them"
UNUSED_UNIT = "the coarsest fusion block has no skip, so this unit never runs"
AUXILIARY = "auxiliary head of the training"
IMAGE_TOWER = "CLIP's image tower: LSeg has an image encoder of its own"
CLIP_SCALE = "the temperature of CLIP's own training"

LEVELS = range(1, 5)

TRUNK_RULES = (
    Rule(r"pretrained\.model\.(norm|head)\.\w+", None, UNUSED_TOP),
    Rule(r"pretrained\.model\.patch_embed\.backbone\.(.+)", r"trunk.backbone.stem.\1"),
    Rule(r"pretrained\.model\.(.+)", r"trunk.backbone.vit.\1"),
    # torchvision's ResNet: layer1 is the stem (convolution, norm, -, -) and the first stage.
    Rule(r"pretrained\.layer1\.0\.(\w+)", r"trunk.backbone.net.conv1.\1"),
    Rule(r"pretrained\.layer1\.1\.(\w+)", r"trunk.backbone.net.bn1.\1"),
    Rule(r"pretrained\.layer1\.4\.(.+)", r"trunk.backbone.net.layer1.\1"),
    Rule(r"pretrained\.layer([234])\.(.+)", r"trunk.backbone.net.layer\1.\2"),
    Rule(r"scratch\.refinenet4\.resConfUnit1\..+", None, UNUSED_UNIT),
    *(
        Rule(pattern.replace("#", str(level)), target.replace("#", str(level - 1)))
        for level in LEVELS
        for pattern, target in (
            (
                r"pretrained\.act_postprocess#\.0\.project\.0\.(\w+)",
                r"trunk.reassemble.#.read.linear.\1",
            ),
            (r"pretrained\.act_postprocess#\.3\.(\w+)", r"trunk.reassemble.#.project.\1"),
            (r"pretrained\.act_postprocess#\.4\.(\w+)", r"trunk.reassemble.#.resample.\1"),
            (r"scratch\.layer#_rn\.(\w+)", r"trunk.fusion.level_convs.#.\1"),
            (r"scratch\.refinenet#\.out_conv\.(\w+)", r"trunk.fusion.blocks.#.project.\1"),
            (
                r"scratch\.refinenet#\.resConfUnit1\.conv(\d)\.(\w+)",
                r"trunk.fusion.blocks.#.skip_unit.conv\1.\2",
            ),
            (
                r"scratch\.refinenet#\.resConfUnit1\.bn(\d)\.(\w+)",
                r"trunk.fusion.blocks.#.skip_unit.norm\1.\2",
            ),
            (
                r"scratch\.refinenet#\.resConfUnit2\.conv(\d)\.(\w+)",
                r"trunk.fusion.blocks.#.unit.conv\1.\2",
            ),
            (
                r"scratch\.refinenet#\.resConfUnit2\.bn(\d)\.(\w+)",
                r"trunk.fusion.blocks.#.unit.norm\1.\2",
            ),
        )
    ),
)
LSEG_RULES = (
    Rule(r"clip_pretrained\.visual\..+", None, IMAGE_TOWER),
    Rule(r"clip_pretrained\.logit_scale", None, CLIP_SCALE),
    Rule(r"clip_pretrained\.(.+)", r"text.\1"),
    Rule(r"scratch\.head1\.(\w+)", r"project.\1"),
    Rule(r"scratch\.head_block\.depthwise\.depthwise\.(\w+)", r"spatial_block.conv.\1"),
    *TRUNK_RULES,
)
DEPTH_RULES = (
    Rule(r"scratch\.output_conv\.0\.(\w+)", r"narrow.\1"),
    Rule(r"scratch\.output_conv\.2\.(\w+)", r"refine.\1"),
    Rule(r"scratch\.output_conv\.4\.(\w+)", r"depth.\1"),
    *TRUNK_RULES,
)
SEGMENTATION_RULES = (
    Rule(r"auxlayer\..+", None, AUXILIARY),
    Rule(r"scratch\.output_conv\.0\.(\w+)", r"mix.\1"),
    Rule(r"scratch\.output_conv\.1\.(\w+)", r"norm.\1"),
    Rule(r"scratch\.output_conv\.4\.(\w+)", r"classify.\1"),
    *TRUNK_RULES,
)

# Text towers of OpenAI's CLIP by (width, whether the image tower is a ResNet).
CLIP_MODELS = {
    (512, False): "ViT-B-32-quickgelu",
    (640, True): "RN50x4-quickgelu",
    (768, True): "RN50x16-quickgelu",
    (768, False): "ViT-L-14-quickgelu",
    (512, True): "RN50-quickgelu",
}


@dataclasses.dataclass(frozen=True)
class SpatialBlockOptions:
    """What an LSeg checkpoint does not say about its spatial blocks."""

    kind: Block = "none"
    depth: int = 1
    activation: Activation = "relu"


def convert_lseg(
    weights: dict[str, Tensor], source: Source, block: SpatialBlockOptions
) -> Conversion:
    """An LSeg of the authors; keys without `net.`. Takes the tensors out of `weights`.

    Raises:
        CheckpointError: If a key is unknown, or the spatial block is not as `block` says.
    """
    has_block = any(key.startswith("scratch.head_block.") for key in weights)
    if has_block and block.kind == "none":
        raise CheckpointError(
            f"{source} has a spatial block, whose kind it does not tell: give --block bottleneck "
            "(arch_option 1) or depthwise (arch_option 2), --block-depth and --block-activation"
        )
    if block.kind != "none" and not has_block:
        raise CheckpointError(f"{source} has no spatial block: leave --block out")
    renaming = rename_keys(weights, LSEG_RULES, source)
    trunk = trunk_config(weights, source)
    config = LSegConfig(
        trunk,
        text=text_config(weights, source),
        embed_dim=shape_of(weights, "scratch.head1.weight", source)[0],
        block=block.kind,
        block_depth=block.depth,
        block_activation=block.activation,
    )
    if trunk.backbone == "resnet101":
        preprocessing = LSegConfig.preset("resnet101").preprocessing
        config = dataclasses.replace(config, preprocessing=preprocessing)
    parts = take_renamed(weights, renaming.kept)
    text = {key[5:]: parts.pop(key) for key in list(parts) if key.startswith("text.")}
    kind = "LSeg (isl-org/lang-seg)"
    return Conversion(kind, config, parts, text or None, renaming.dropped, LSEG_RULES)


def convert_dpt(
    weights: dict[str, Tensor], source: Source, labels: tuple[str, ...], depth: dict[str, Any]
) -> Conversion:
    """A DPT of the authors. Takes the tensors out of `weights`.

    Args:
        weights: The state dict.
        source: What to call it in errors.
        labels: Class names of a segmentation network; `default_labels` where empty.
        depth: `scale`, `shift` and `invert` of a depth network.

    Raises:
        CheckpointError: If a key is unknown, or there are not as many labels as classes.
    """
    trunk = trunk_config(weights, source)
    config: NetworkConfig
    if "scratch.output_conv.1.running_mean" in weights:
        classes = shape_of(weights, "scratch.output_conv.4.weight", source)[0]
        labels = labels or default_labels(classes)
        if len(labels) != classes:
            raise CheckpointError(f"{source} has {classes} classes, got {len(labels)} labels")
        config, rules = SegmentationConfig(trunk, labels=labels), SEGMENTATION_RULES
        kind = "segmentation"
    else:
        config, rules, kind = DepthConfig(trunk, **depth), DEPTH_RULES, "depth"
        config = dataclasses.replace(
            config, preprocessing=dataclasses.replace(config.preprocessing, size=384)
        )
    renaming = rename_keys(weights, rules, source)
    parts = take_renamed(weights, renaming.kept)
    kind = f"DPT for {kind} (isl-org/DPT)"
    return Conversion(kind, config, parts, None, renaming.dropped, rules)


def trunk_config(weights: dict[str, Tensor], source: Source) -> TrunkConfig:
    """What the shapes say about backbone, reassemble and fusion.

    Raises:
        CheckpointError: If it is none of the published backbones.
    """
    level_convs = [shape_of(weights, f"scratch.layer{level}_rn.weight", source) for level in LEVELS]
    name, levels, options = _backbone(weights, source)
    widths = tuple(shape[1] for shape in level_convs)
    has_project = any(".0.project.0." in key for key in weights)
    return TrunkConfig(
        name,
        options,
        levels,
        widths,  # type: ignore[arg-type]  # four, one a level
        "project" if has_project else "ignore",
        level_convs[0][0],
        any("resConfUnit1.bn1" in key for key in weights),
    )


def text_config(weights: dict[str, Tensor], source: Source) -> TextConfig:
    """Which CLIP the text side belongs to.

    Raises:
        CheckpointError: If it is none of OpenAI's.
    """
    width = shape_of(weights, "clip_pretrained.text_projection", source, ndim=2)[1]
    resnet = "clip_pretrained.visual.layer1.0.conv1.weight" in weights
    if (width, resnet) not in CLIP_MODELS:
        raise CheckpointError(f"{source}: no CLIP of OpenAI has text vectors {width} wide")
    return TextConfig(CLIP_MODELS[width, resnet], "openai")


def default_labels(classes: int) -> tuple[str, ...]:
    """The names of ADE20K's 150 classes; numbers for any other count."""
    if classes == 150:
        return read_labels("ade20k").names
    return tuple(f"class {index}" for index in range(classes))


def _backbone(
    weights: dict[str, Tensor], source: Source
) -> tuple[str, tuple[int, int, int, int], dict[str, Any]]:
    if "pretrained.layer1.0.weight" in weights:
        return "resnet101", (1, 2, 3, 4), {}
    patch = shape_of(weights, "pretrained.model.patch_embed.proj.weight", source)
    hybrid = "pretrained.model.patch_embed.backbone.stem.conv.weight" in weights
    known = {
        (1024, 16, False): ("vit_large_patch16_384", (5, 11, 17, 23)),
        (768, 16, False): ("vit_base_patch16_384", (2, 5, 8, 11)),
        (768, 32, False): ("vit_base_patch32_384", (2, 5, 8, 11)),
        (768, 1, True): ("vit_base_r50_s16_384", (0, 1, 8, 11)),
    }
    key = (patch[0], patch[-1], hybrid)
    if key not in known:
        raise CheckpointError(
            f"{source} has a transformer {patch[0]} wide with patches of {patch[-1]}, none of the "
            "published ones (ViT-B/16, ViT-B/32, ViT-L/16, ResNet-50 + ViT-B)"
        )
    name, levels = known[key]
    positions = shape_of(weights, "pretrained.model.pos_embed", source, ndim=3)[1] - 1
    side = math.isqrt(max(positions, 0))
    if side == 0 or side * side != positions:
        raise CheckpointError(
            f"{source}: weight {source.key('pretrained.model.pos_embed')} has {positions} "
            "positions, which form no square grid"
        )
    size = side * (16 if hybrid else patch[-1])
    return name, levels, {} if size == 384 else {"img_size": size}
