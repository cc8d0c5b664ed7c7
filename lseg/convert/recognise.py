"""What kind of checkpoint a file is, told by its keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from lseg.convert.clip import RULES as CLIP_RULES
from lseg.convert.clip import SEPARATE, convert_clip
from lseg.convert.huggingface.folder import convert_huggingface, is_huggingface
from lseg.convert.keymap import Conversion, Rule, Source, share_known
from lseg.convert.official import (
    DEPTH_RULES,
    LSEG_RULES,
    SEGMENTATION_RULES,
    SpatialBlockOptions,
    convert_dpt,
    convert_lseg,
)
from lseg.errors import CheckpointError
from lseg.store.foreign import read_state_dict
from lseg.store.foreign_kinds import is_clip, is_official_dpt, is_official_lseg, strip_prefixes

FORMATS = (
    "an LSeg checkpoint of isl-org/lang-seg, a DPT of isl-org/DPT, a Hugging Face folder of the "
    "DPT family, the weights of a CLIP, or an encoder of pictures and texts"
)

FLAGS = {
    "block": "--block",
    "labels": "--labels",
    "size": "--size",
    "depth": "--scale, --shift or --invert",
    "clip_model": "--clip-model",
    "task": "--task",
}


@dataclass(frozen=True)
class ConvertOptions:
    """What checkpoints do not say themselves.

    Attributes:
        block: The spatial blocks of an LSeg.
        labels: Class names of a segmentation network; ADE20K's where it has 150 classes.
        size: Shorter side of the input that the network was trained for, if not the usual one.
        depth: `scale`, `shift` and `invert` of a depth network.
        clip_model: open_clip name of a CLIP.
        task: Which head of a TIPSv2-DPT: `depth`, `normals` or `segmentation`.
    """

    block: SpatialBlockOptions = field(default_factory=SpatialBlockOptions)
    labels: tuple[str, ...] = ()
    size: int | None = None
    depth: dict[str, Any] = field(default_factory=dict)
    clip_model: str | None = None
    task: str | None = None


class Recognised(NamedTuple):
    """A conversion and where it came from."""

    conversion: Conversion
    origin: Source


class Kind(NamedTuple):
    """A kind of checkpoint that comes as one file.

    Attributes:
        name: In words.
        is_one: Whether a set of keys is that of one.
        rules: Its key map.
        options: Which of `ConvertOptions` concern it.
        convert: From weights, which it takes the tensors out of.
    """

    name: str
    is_one: Callable[[set[str]], bool]
    rules: Sequence[Rule]
    options: frozenset[str]
    convert: Callable[[dict[str, Tensor], Source, ConvertOptions], Conversion]


KINDS = (
    Kind(
        "an LSeg",
        is_official_lseg,
        LSEG_RULES,
        frozenset({"block", "size"}),
        lambda weights, source, options: convert_lseg(weights, source, options.block),
    ),
    Kind(
        "a DPT",
        is_official_dpt,
        (*SEGMENTATION_RULES, *DEPTH_RULES),
        frozenset({"labels", "depth", "size"}),
        lambda weights, source, options: convert_dpt(
            weights, source, options.labels, options.depth
        ),
    ),
    Kind(
        "a CLIP",
        is_clip,
        (*CLIP_RULES, *SEPARATE),
        frozenset({"clip_model"}),
        lambda weights, source, options: convert_clip(weights, source, options.clip_model),
    ),
)


def recognise(source: Path, options: ConvertOptions) -> Recognised:
    """Reads a checkpoint of any known kind, told by its keys.

    Where the weight that tells a kind is missing, the kind that knows most of the keys is taken, so
    that the error names the weight.

    Raises:
        CheckpointError: If it is of none, does not fit its kind, or an option has no use for it.
    """
    if source.is_dir():
        if is_huggingface(source):
            refuse_others(options, "a Hugging Face folder", frozenset({"size", "task"}))
            return Recognised(convert_huggingface(source, options.task), Source(str(source)))
        raise CheckpointError(f"{source} is no Hugging Face folder; accepted are {FORMATS}")
    weights, prefix = strip_prefixes(read_state_dict(source))
    origin, keys = Source(str(source), prefix), set(weights)
    kind = next((kind for kind in KINDS if kind.is_one(keys)), None)
    if kind is None:
        kind = max(KINDS, key=lambda kind: share_known(keys, kind.rules))
        if share_known(keys, kind.rules) < 0.5:
            raise CheckpointError(
                f"{source} is of no known kind (its first weight is "
                f"{origin.key(next(iter(weights)))}); accepted are {FORMATS}"
            )
    refuse_others(options, kind.name, kind.options)
    return Recognised(kind.convert(weights, origin, options), origin)


def refuse_others(options: ConvertOptions, name: str, accepted: frozenset[str]) -> None:
    """Makes sure that no option was given that has no meaning for this kind.

    Args:
        options: As they were given.
        name: Of the kind, in words.
        accepted: Which of them concern it.

    Raises:
        CheckpointError: Naming the first other one.
    """
    for field_name, flag in FLAGS.items():
        given = getattr(options, field_name)
        if field_name not in accepted and given != getattr(ConvertOptions(), field_name):
            raise CheckpointError(f"the source is {name}, which {flag} does not apply to")
