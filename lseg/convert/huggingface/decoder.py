"""Reassemble, fusion and heads of Hugging Face's folders: their options and names of weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from lseg.config import OddGrids, TrunkConfig
from lseg.convert.huggingface.encoder import Encoder
from lseg.convert.huggingface.fields import check_options, read_options, wrong_option
from lseg.convert.keymap import Rule
from lseg.models.levels import LevelInfo, level_scales

DEFAULTS: dict[str, Any] = {
    "readout_type": "project",
    "reassemble_factors": [4, 2, 1, 0.5],
    "neck_hidden_sizes": [96, 192, 384, 768],
    "fusion_hidden_size": 256,
    "use_batch_norm_in_fusion_residual": False,
}
FIXED: dict[str, Sequence[Any]] = {
    "head_in_index": [-1, 3],
    "readout_type": ["project", "add", "ignore"],
    "add_projection": [False, True],
}
CLASSIFIER = "head.head.4.weight"

UNUSED_UNIT = "the coarsest fusion block has no skip, so this unit never runs"
AUXILIARY = "auxiliary head of the training"

NECK_RULES = (
    Rule(r"neck\.fusion_stage\.layers\.0\.residual_layer1\..+", None, UNUSED_UNIT),
    Rule(
        r"neck\.reassemble_stage\.readout_projects\.(\d)\.0\.(\w+)",
        r"trunk.reassemble.\1.read.linear.\2",
    ),
    Rule(
        r"neck\.reassemble_stage\.layers\.(\d)\.projection\.(\w+)",
        r"trunk.reassemble.\1.project.\2",
    ),
    Rule(
        r"neck\.reassemble_stage\.layers\.(\d)\.resize\.(\w+)", r"trunk.reassemble.\1.resample.\2"
    ),
    Rule(r"neck\.convs\.(\d)\.(\w+)", r"trunk.fusion.level_convs.\1.\2"),
    *(
        Rule(
            rf"neck\.fusion_stage\.layers\.{3 - block}\.{theirs}",  # theirs: coarsest first
            rf"trunk.fusion.blocks.{block}.{ours}",
        )
        for block in range(4)
        for theirs, ours in (
            (r"projection\.(\w+)", r"project.\1"),
            (r"residual_layer1\.convolution(\d)\.(\w+)", r"skip_unit.conv\1.\2"),
            (r"residual_layer1\.batch_norm(\d)\.(\w+)", r"skip_unit.norm\1.\2"),
            (r"residual_layer2\.convolution(\d)\.(\w+)", r"unit.conv\1.\2"),
            (r"residual_layer2\.batch_norm(\d)\.(\w+)", r"unit.norm\1.\2"),
        )
    ),
)
DEPTH_RULES = (
    Rule(r"head\.projection\.(\w+)", r"mix.\1"),
    Rule(r"head\.head\.0\.(\w+)", r"narrow.\1"),
    Rule(r"head\.head\.2\.(\w+)", r"refine.\1"),
    Rule(r"head\.head\.4\.(\w+)", r"depth.\1"),
)
SEGMENTATION_RULES = (
    Rule(r"auxiliary_head\..+", None, AUXILIARY),
    Rule(r"head\.head\.0\.(\w+)", r"mix.\1"),
    Rule(r"head\.head\.1\.(\w+)", r"norm.\1"),
    Rule(r"head\.head\.4\.(\w+)", r"classify.\1"),
)


def decoder_trunk(
    options: Mapping[str, Any],
    defaults: Mapping[str, Any],
    encoder: Encoder,
    odd_grids: OddGrids,
    source: str,
) -> TrunkConfig:
    """An image encoder and what `config.json` says about reassemble and fusion.

    Args:
        options: Of the folder.
        defaults: As `DEFAULTS`, for its kind of folder.
        encoder: Of the folder.
        odd_grids: What its kind of network does with them.
        source: What to call the file in errors.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    values = read_options(options, defaults, source)
    check_options(options, FIXED, source)
    batch_norm = values["use_batch_norm_in_fusion_residual"]
    bias = options.get("use_bias_in_fusion_residual")
    bias = not batch_norm if bias is None else bias
    if type(bias) is not bool or (batch_norm and bias):
        accepted = [False] if batch_norm else [True, False]
        raise wrong_option(source, "use_bias_in_fusion_residual", bias, accepted)
    if encoder.tokens:
        _check_factors(values["reassemble_factors"], encoder, source)
    widths = values["neck_hidden_sizes"]
    if len(widths) != 4:
        raise wrong_option(source, "neck_hidden_sizes", widths, ["four widths"])
    return TrunkConfig(
        encoder.backbone,
        encoder.arguments,
        encoder.levels,
        tuple(widths),
        values["readout_type"] if encoder.tokens else "ignore",
        values["fusion_hidden_size"],
        batch_norm,
        unit_bias=batch_norm or bias,
        level_norm=encoder.level_norm,
        positions=encoder.positions,
        odd_grids=odd_grids,
    )


def _check_factors(factors: list[float], encoder: Encoder, source: str) -> None:
    first = encoder.stem_levels
    scales = level_scales([LevelInfo(1, encoder.patch, tokens=True)] * 4)
    if factors[first:] != scales[first:]:
        raise wrong_option(source, "reassemble_factors", factors, [scales])
