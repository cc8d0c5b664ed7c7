"""The options of Hugging Face's DPT folders as configurations of this project.

Three things do not carry over, and in each networks here follow the original. `layer_norm_eps` is
1e-12 in the published folders, but their weights were trained with 1e-6 (at most 1.7e-3 in the
output). Hybrids standardise weights by another formula there (up to 6e-3). And pictures are not
squashed to a square: `size` becomes the length of the shorter side.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from lseg.config import Preprocessing, TrunkConfig
from lseg.errors import CheckpointError
from lseg.models.backbones import LevelInfo, level_scales

# Options that are read, with their meaning where a folder leaves them out.
DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "image_size": 384,
    "patch_size": 16,
    "qkv_bias": True,
    "is_hybrid": False,
    "backbone_out_indices": [2, 5, 8, 11],
    "readout_type": "project",
    "reassemble_factors": [4, 2, 1, 0.5],
    "neck_hidden_sizes": [96, 192, 384, 768],
    "fusion_hidden_size": 256,
    "use_batch_norm_in_fusion_residual": False,
}
PREPROCESSOR_DEFAULTS: dict[str, Any] = {
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "size": 384,
    "do_normalize": True,
}

# Options that networks here do not have, or not with every value, and the values that will do.
FIXED: dict[str, Sequence[Any]] = {
    "num_channels": [3],
    "hidden_act": ["gelu"],
    "layer_norm_eps": [1e-6, 1e-12],
    "head_in_index": [-1, 3],
    "add_projection": [False],
    "readout_type": ["project", "add", "ignore"],
}
FIXED_PLAIN: dict[str, Sequence[Any]] = {"backbone": [None], "backbone_config": [None]}
FIXED_HYBRID: dict[str, Sequence[Any]] = {
    "patch_size": [16, [16, 16]],
    "readout_type": ["project"],
    "neck_ignore_stages": [[0, 1]],
}
FIXED_STEM: dict[str, Sequence[Any]] = {  # timm's hybrid has one stem
    "model_type": ["bit"],
    "depths": [[3, 4, 9]],
    "hidden_sizes": [[256, 512, 1024], [256, 512, 1024, 2048]],
    "embedding_size": [64],
    "num_groups": [32],
    "width_factor": [1],
    "layer_type": ["bottleneck"],
    "global_padding": ["SAME", "same"],
    "embedding_dynamic_padding": [True],
    "hidden_act": ["relu"],
    "output_stride": [32, 16],
    "out_features": [["stage1", "stage2", "stage3"]],
}
FIXED_PREPROCESSOR: dict[str, Sequence[Any]] = {"do_rescale": [True], "rescale_factor": [1 / 255]}

# timm's models, and the arguments that their names stand for.
HYBRID, PLAIN = "vit_base_r50_s16_384", "vit_base_patch16_384"
_BASE = {"embed_dim": 768, "depth": 12, "num_heads": 12, "mlp_ratio": 4.0}
_LARGE = {"embed_dim": 1024, "depth": 24, "num_heads": 16, "mlp_ratio": 4.0}
_ALL = {"img_size": 384, "qkv_bias": True}
STANDARD: dict[str, dict[str, Any]] = {
    PLAIN: {**_BASE, **_ALL, "patch_size": 16},
    "vit_base_patch32_384": {**_BASE, **_ALL, "patch_size": 32},
    "vit_large_patch16_384": {**_LARGE, **_ALL, "patch_size": 16},
    HYBRID: {**_BASE, **_ALL, "patch_size": 16},
}


def trunk_config(options: Mapping[str, Any], source: str) -> TrunkConfig:
    """What `config.json` says about backbone, reassemble and fusion.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    values = _read(options, DEFAULTS, source)
    hybrid, depth = values["is_hybrid"], values["num_hidden_layers"]
    _check(options, FIXED, source)
    _check(options, FIXED_HYBRID if hybrid else FIXED_PLAIN, source)
    batch_norm = values["use_batch_norm_in_fusion_residual"]
    _check(options, {"use_bias_in_fusion_residual": [not batch_norm]}, source)
    if hybrid:
        stem = options.get("backbone_config") or {}
        if not isinstance(stem, dict):
            raise _wrong(source, "backbone_config", stem, ["a mapping"])
        _check(stem, FIXED_STEM, f"{source}, backbone_config")

    first = 2 if hybrid else 0  # the two finest levels of a hybrid come from its stem
    indices = values["backbone_out_indices"]
    blocks = sorted(set(indices[first:]))  # they are taken in the order of the blocks
    if len(blocks) != 4 - first or not 0 <= blocks[0] <= blocks[-1] < depth:
        raise _wrong(source, "backbone_out_indices", indices, [f"four of 0 to {depth - 1}"])
    patch = _side(values, "patch_size", source)
    scales = level_scales([LevelInfo(1, patch, tokens=True)] * 4)
    if values["reassemble_factors"][first:] != scales[first:]:
        raise _wrong(source, "reassemble_factors", values["reassemble_factors"], [scales])
    widths = values["neck_hidden_sizes"]
    if len(widths) != 4:
        raise _wrong(source, "neck_hidden_sizes", widths, ["four widths"])

    name, arguments = _backbone(values, patch, source)
    return TrunkConfig(
        name,
        arguments,
        (*range(first), *blocks),
        tuple(widths),
        values["readout_type"],
        values["fusion_hidden_size"],
        batch_norm,
    )


def preprocessing_config(options: Mapping[str, Any], source: str) -> Preprocessing:
    """What `preprocessor_config.json` says about mean, standard deviation and size.

    Raises:
        CheckpointError: Naming the first option that `Preprocessing` does not have.
    """
    _check(options, FIXED_PREPROCESSOR, source)
    size = options.get("size")
    if isinstance(size, dict):
        sides = [size[name] for name in ("shortest_edge", "height", "width") if name in size]
        options = {**options, "size": min(sides) if sides and _numbers(sides, {int}) else size}
    values = _read(options, PREPROCESSOR_DEFAULTS, source)
    for name in ("image_mean", "image_std"):
        if len(values[name]) != 3:
            raise _wrong(source, name, values[name], ["three numbers"])
    if not values["do_normalize"]:
        return Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), values["size"])
    return Preprocessing(tuple(values["image_mean"]), tuple(values["image_std"]), values["size"])


def label_names(options: Mapping[str, Any], classes: int, source: str) -> tuple[str, ...]:
    """Class names in the order of the logits; numbered where `config.json` has none.

    Raises:
        CheckpointError: If `id2label` does not name every class once.
    """
    names = options.get("id2label")
    if not names:
        return tuple(f"class {index}" for index in range(classes))
    keys = [str(index) for index in range(classes)]
    if not isinstance(names, dict) or set(names) != set(keys):
        raise CheckpointError(f"{source}: id2label does not name the classes 0 to {classes - 1}")
    return tuple(str(names[key]) for key in keys)


def _backbone(values: Mapping[str, Any], patch: int, source: str) -> tuple[str, dict[str, Any]]:
    """A name of timm's and what differs from the sizes that it stands for."""
    width, hidden = values["hidden_size"], values["intermediate_size"]
    ratio = hidden / width
    wanted = {
        "img_size": _side(values, "image_size", source),
        "patch_size": patch,
        "embed_dim": width,
        "depth": values["num_hidden_layers"],
        "num_heads": values["num_attention_heads"],
        # timm takes the integer part of ratio * width
        "mlp_ratio": ratio if int(ratio * width) == hidden else (hidden + 0.5) / width,
        "qkv_bias": values["qkv_bias"],
    }
    same_size = [
        name
        for name, standard in STANDARD.items()
        if all(standard[key] == wanted[key] for key in ("embed_dim", "depth", "patch_size"))
    ]
    name = HYBRID if values["is_hybrid"] else next(iter(same_size), PLAIN)
    return name, {key: wanted[key] for key in wanted if wanted[key] != STANDARD[name][key]}


def _read(options: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The options named in `defaults`, each of the same type as its default."""
    values = {}
    for name, default in defaults.items():
        value = options.get(name)
        value = default if value is None else value
        if isinstance(default, list):
            fits = _numbers(value, {type(item) for item in default} | {int})
        elif name in ("image_size", "patch_size"):
            fits = _numbers(value, {int}) or type(value) is int
        else:
            fits = type(value) is type(default)
        if not fits or (type(value) is int and value < 1):
            raise _wrong(source, name, value, [f"something like {default!r}"])
        values[name] = value
    return values


def _numbers(value: object, kinds: Container[type]) -> bool:
    return isinstance(value, list) and all(type(item) in kinds for item in value)


def _side(values: Mapping[str, Any], name: str, source: str) -> int:
    """The side of a square, given as a number or as height and width."""
    value = values[name]
    sides = set(value if isinstance(value, list) else [value])
    if len(sides) != 1 or not all(type(side) is int and side > 0 for side in sides):
        raise _wrong(source, name, value, ["a square"])
    return int(sides.pop())


def _check(options: Mapping[str, Any], fixed: Mapping[str, Sequence[Any]], source: str) -> None:
    for name, accepted in fixed.items():
        value = options.get(name)
        if value is not None and value not in accepted:
            raise _wrong(source, name, value, accepted)


def _wrong(source: str, name: str, value: object, accepted: Iterable[object]) -> CheckpointError:
    shown = str(value) if len(str(value)) < 80 else f"{str(value)[:80]}..."
    choices = " or ".join(map(str, accepted))
    return CheckpointError(
        f"{source}: {name} is {shown}, which networks here cannot have: only {choices}"
    )
