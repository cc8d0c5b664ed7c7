"""An image encoder of a Hugging Face folder, as a backbone of timm's."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lseg.config import Positions
from lseg.convert.keymap import Rule

VIT = "trunk.backbone.vit."
UNUSED_TOP = "the transformer's final norm and pooler: levels are taken before them"
MASK_TOKEN = "stands for hidden patches in the encoder's own training"


class Encoder(NamedTuple):
    """What a configuration says of an image encoder.

    Attributes:
        backbone: timm's name.
        arguments: What differs from the sizes that the name stands for.
        levels: As of `TrunkConfig`.
        patch: Side of a patch in pixels.
        level_norm: As of `TrunkConfig`.
        positions: As of `TrunkConfig`.
        rules: Key map of its weights.
        blocks: What stands before the number of a block (or stage) in their names.
        attentions: What stands before `query`, `key` and `value` in their names, of every attention
            that runs and keeps them apart.
        joined: Which parts of those three timm has as one.
        stem_levels: How many of the finest levels come from a convolutional stem.
        tokens: Whether levels are tokens, to be reassembled, and not maps of their own strides.
    """

    backbone: str
    arguments: dict[str, Any]
    levels: tuple[int, int, int, int]
    patch: int
    level_norm: bool
    positions: Positions
    rules: Sequence[Rule]
    blocks: str
    attentions: Sequence[str] = ()
    joined: Sequence[str] = ("weight", "bias")
    stem_levels: int = 0
    tokens: bool = True


def attention_names(blocks: str, last: int) -> list[str]:
    """`Encoder.attentions` of a plain transformer whose last level comes from the block `last`."""
    return [f"{blocks}{index}.attention.attention." for index in range(last + 1)]


# timm's models, and the arguments that their names stand for.
_SMALL = {"embed_dim": 384, "depth": 12, "num_heads": 6, "mlp_ratio": 4.0}
_BASE = {"embed_dim": 768, "depth": 12, "num_heads": 12, "mlp_ratio": 4.0}
_LARGE = {"embed_dim": 1024, "depth": 24, "num_heads": 16, "mlp_ratio": 4.0}
_GIANT = {"embed_dim": 1536, "depth": 40, "num_heads": 24, "mlp_ratio": 2 * 2.66667}
_SIZES = {"small": _SMALL, "base": _BASE, "large": _LARGE, "giant": _GIANT}
_VIT = {"img_size": 384, "patch_size": 16, "qkv_bias": True}
_DINOV2 = {"img_size": 518, "patch_size": 14, "qkv_bias": True}
STANDARD: dict[str, dict[str, Any]] = {
    "vit_base_patch16_384": {**_BASE, **_VIT},
    "vit_base_patch32_384": {**_BASE, **_VIT, "patch_size": 32},
    "vit_large_patch16_384": {**_LARGE, **_VIT},
    "vit_base_r50_s16_384": {**_BASE, **_VIT},
    "beit_base_patch16_384": {**_BASE, **_VIT},
    "beit_large_patch16_384": {**_LARGE, **_VIT},
    "beit_large_patch16_512": {**_LARGE, **_VIT, "img_size": 512},
    **{
        f"vit_{size}_patch14_{registers}dinov2": {**_SIZES[size], **_DINOV2, **more}
        for size in _SIZES
        for registers, more in (("", {}), ("reg4_", {"reg_tokens": 4}))
    },
}


def timm_backbone(
    wanted: Mapping[str, Any], hidden: int, names: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """A name of timm's and what differs from the sizes that it stands for.

    Args:
        wanted: Arguments of timm, without `mlp_ratio`.
        hidden: Width inside the perceptron of a block.
        names: Those to choose from; the first where none has these sizes.
    """
    same = ("embed_dim", "depth", "patch_size")
    named = [name for name in names if all(STANDARD[name][key] == wanted[key] for key in same)]
    fitting = [name for name in named if STANDARD[name]["img_size"] == wanted["img_size"]]
    name = next(iter([*fitting, *named]), names[0])
    wanted = {**wanted, "mlp_ratio": _mlp_ratio(wanted["embed_dim"], hidden, STANDARD[name])}
    return name, {key: wanted[key] for key in wanted if wanted[key] != STANDARD[name][key]}


def _mlp_ratio(width: int, hidden: int, standard: Mapping[str, Any]) -> float:
    """The ratio whose product with the width has `hidden` as its integer part, as timm takes it."""
    ratios: Iterable[float] = (standard["mlp_ratio"], hidden / width)
    fitting = (ratio for ratio in ratios if int(ratio * width) == hidden)
    return next(fitting, (hidden + 0.5) / width)
