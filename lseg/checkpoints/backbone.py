"""Initial weights of the image encoder, from timm's hub or from a file in timm's layout."""

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from timm.models import load_state_dict
from torch import Tensor, nn

from lseg.checkpoints.timm_hub import timm_source
from lseg.config import TrunkConfig
from lseg.errors import CheckpointError, LSegError
from lseg.models.build import build_backbone
from lseg.models.levels import Backbone
from lseg.models.timm_names import create_timm_model, timm_name
from lseg.models.transformers_backbone import TransformersBackbone
from lseg.paths import is_file, resolve_data_path
from lseg.store.hub import hub_error_reason
from lseg.store.tensors import read_tensors, with_counters
from lseg.store.transformers_folder import read_transformers_weights, transformers_name
from lseg.text.waiting import told_if_slow


def pretrained_backbone(config: TrunkConfig, source: str) -> Backbone:
    """The backbone of `config` with pretrained weights.

    A file may hold more than the backbone (a classifier, the state of a training, an average of
    the weights, which is then taken), put one prefix before all names, hold positions of another
    grid, and leave out the counters of batch norm, as old versions of PyTorch did.

    Args:
        config: Which backbone; of `with_architecture`.
        source: `timm` (downloads timm's own weights), or a file with a state dict in timm's layout,
            or in one that timm itself knows how to read; relative paths are looked up under
            LSEG_DATA first. Of a backbone `hf:NAME`: `hf` (the weights of NAME), or a folder or Hub
            id of that library, or a `.safetensors` file.

    Raises:
        CheckpointError: If the file is missing, or does not fit, naming the first wrong key; or if
            timm or the Hub has no weights or cannot be asked for them.
    """
    name = transformers_name(config.backbone)
    if name is not None:
        return TransformersBackbone(config, _of_transformers(name, source))
    if source == "hf":
        raise CheckpointError(
            f"backbone_weights hf are for a backbone hf:NAME, and {config.backbone} is timm's: "
            "give timm, or a file in timm's layout"
        )
    if source == "timm":
        return _of_timm(config)
    path = resolve_data_path(source)
    weights = _fitting(config, _read(path), path)
    return build_backbone(
        config, pretrained=True, num_classes=0, pretrained_cfg_overlay={"state_dict": weights}
    )


def _of_transformers(name: str, source: str) -> dict[str, Tensor]:
    if source == "timm":
        raise CheckpointError(
            f"timm has no weights of a backbone hf:{name}: give hf for its own as backbone_weights"
        )
    path = resolve_data_path(source)
    return (
        read_tensors(path)
        if is_file(path)
        else (read_transformers_weights(name if source == "hf" else source))
    )


def _of_timm(config: TrunkConfig) -> Backbone:
    try:
        overlay = timm_source(timm_name(config.backbone))
        with told_if_slow(f"timm's weights of {config.backbone}"):
            return build_backbone(config, pretrained=True, pretrained_cfg_overlay=overlay)
    except LSegError:
        raise
    except Exception as error:  # timm's own, its hub's, the network's
        raise CheckpointError(
            f"the weights of {config.backbone} cannot be had from timm: {hub_error_reason(error)}. "
            "backbone_weights may also be a file in timm's layout"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"backbone_weights: no such file {path}; give a path, or 'timm'")
    try:
        return load_state_dict(str(path), weights_only=True)
    except Exception as error:  # any of pickle's, zip's and safetensors' errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path} cannot be read as weights: {reason}") from error


def _fitting(config: TrunkConfig, found: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """What a file holds for the backbone, without a head.

    timm loads feature extractors without insisting on every key; we do.
    """
    name = timm_name(config.backbone)
    with torch.device("meta"):
        net = create_timm_model(name, {**config.backbone_options, "num_classes": 0})
    expected = net.state_dict()
    prefix = _prefix(found, expected, path)
    weights = {
        key.removeprefix(prefix): value
        for key, value in found.items()
        if key.startswith(prefix) and isinstance(value, Tensor)
    }
    weights = with_counters(_in_timms_layout(weights, net), expected)
    for key, tensor in expected.items():
        if key not in weights:
            raise CheckpointError(f"{path} is not for {name}: it lacks {prefix + key!r}")
        given, wanted = tuple(weights[key].shape), tuple(tensor.shape)
        if given != wanted and "pos_embed" not in key:  # timm resamples positions
            raise CheckpointError(f"{path}: {prefix + key!r} has shape {given}, expected {wanted}")
    surplus = next((key for key in weights if _is_of_further_block(key, expected)), None)
    if surplus is not None:
        raise CheckpointError(
            f"{path} is not for {name}: it has more blocks, the first {prefix + surplus!r}"
        )
    return {key: weights[key] for key in expected}


def _prefix(found: Mapping[str, Any], expected: Mapping[str, Tensor], path: Path) -> str:
    """What stands before the names of the backbone's weights, if anything.

    Raises:
        CheckpointError: If the weights are there more than once, as of a student and a teacher.
    """
    first = next(iter(expected))
    prefixes = [
        key.removesuffix(first) for key in found if key == first or key.endswith(f".{first}")
    ]
    shares = {
        prefix: sum(prefix + key in found for key in expected) / len(expected)
        for prefix in prefixes
    }
    most = max(shares.values(), default=0)
    best = [prefix for prefix, share in shares.items() if share == most]
    if len(best) > 1 and "" not in best and most > 0.5:
        raise CheckpointError(
            f"{path} holds the weights of {len(best)} networks, under "
            f"{' and '.join(map(repr, best))}: give a file of one"
        )
    return best[0] if len(best) == 1 else ""


def _in_timms_layout(weights: dict[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
    """The weights as timm's own loader names them, where it knows their layout (DINOv2's, CLIP's).

    Every module of timm that has such a rule calls it so.
    """
    module = importlib.import_module(type(net).__module__)
    rule = getattr(module, "checkpoint_filter_fn", None)
    try:
        return weights if rule is None else dict(rule(dict(weights), net))
    except Exception:  # no layout that it knows: what is wrong is found by the names
        return weights


def _is_of_further_block(key: str, expected: Mapping[str, Tensor]) -> bool:
    """Whether a weight is of a block beyond the last of a row of blocks, as of a deeper network."""
    if key in expected:
        return False
    found = re.match(r"(.*?\b)\d+\.", key)
    if found is None:
        return False
    row, block = found[1], found[0]
    names = [name for name in expected if name.startswith(row)]
    return any(re.match(r"\d+\.", name[len(row) :]) for name in names) and not any(
        name.startswith(block) for name in names
    )
