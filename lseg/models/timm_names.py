"""Names of timm's models, as people write them, and what of them can be a backbone."""

import difflib
import textwrap
import warnings
from typing import Any

import timm
from timm.models import list_pretrained
from torch import nn

from lseg.errors import ConfigError, shown

SUPPORTED = (
    "a backbone is a VisionTransformer of timm (vit_*, deit_*, DINOv2, CLIP, SigLIP), an Eva "
    "(EVA-02, DINOv3, PE), a BEiT, a hybrid with a ResNet stem (vit_base_r50_s16_384), or a net "
    "with four maps, each half the one before (resnet*, convnext*, swin*, efficientnet*, regnet*)"
)
SCHEMES = ("hf-hub:", "hf_hub:")
TRANSFORMERS = ("vision_transformer", "vision_transformer_hybrid", "deit", "eva", "beit")
"""timm's modules whose models are, mostly, transformers that can be a backbone."""


def timm_name(name: str) -> str:
    """Timm's own name of a model, which may have a tag of weights after a dot.

    `timm/NAME`, as on the Hub, and `hf-hub:timm/NAME` are the models of timm's registry.

    Raises:
        ConfigError: If timm has no such model or tag, with the nearest names.
    """
    plain = name
    for scheme in SCHEMES:
        plain = plain.removeprefix(scheme)
    plain = plain.removeprefix("timm/")
    if "/" in plain or ":" in plain:
        raise ConfigError(
            f"backbone {shown(name)} is no model of timm's own: give a name of timm.list_models(), "
            "and weights of others as backbone_weights"
        )
    architecture, _, tag = plain.partition(".")
    if not timm.is_model(plain):
        alike = timm.list_models(f"*{architecture.split('_')[0]}*") or timm.list_models()
        near = difflib.get_close_matches(architecture, alike, n=4, cutoff=0.3)
        raise ConfigError(
            f"timm has no model {shown(architecture)}{_hint(near)} (timm.list_models() has them "
            "all)"
        )
    tags = [found.partition(".")[2] for found in list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        near = difflib.get_close_matches(tag, tags, n=3, cutoff=0.0)
        raise ConfigError(
            f"timm has no weights {tag!r} of {architecture}"
            + (f": it has {', '.join(near)}" if near else ": leave the tag out")
        )
    return plain


def create_timm_model(name: str, options: dict[str, Any], **more: Any) -> nn.Module:
    """A model of timm by its own name.

    Raises:
        ConfigError: If timm cannot build it so, or not as a pyramid of features.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Mapping deprecated model name")
            return timm.create_model(name, **options, **more)
    except (
        TypeError, AssertionError, LookupError, ValueError, RuntimeError, ArithmeticError,
        AttributeError,
    ) as error:  # fmt: skip
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        given = {key: value for key, value in options.items() if key != "pretrained_cfg_overlay"}
        raise ConfigError(
            f"timm cannot build {name!r} with options {_cut(given)}"
            f"{f' and {more}' if more else ''}: {_cut(reason)}"
        ) from error


def unsupported_backbone(name: str, fault: str) -> ConfigError:
    """The error for a model that timm has and that can be no backbone.

    Args:
        name: timm's own.
        fault: What it does, as "gives no maps".
    """
    architecture = name.partition(".")[0]
    known = [found for found in timm.list_models(module=TRANSFORMERS) if found != architecture]
    near = difflib.get_close_matches(architecture, known, n=2, cutoff=0.5)
    return ConfigError(f"{name} {fault}: {SUPPORTED}{_hint(near)}")


def _cut(value: object) -> str:
    return textwrap.shorten(str(value), 300, placeholder=" ...")


def _hint(near: list[str]) -> str:
    return f"; near it: {', '.join(near)}" if near else ""
