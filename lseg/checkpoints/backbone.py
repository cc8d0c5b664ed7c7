"""Initial weights of the image encoder, from timm's hub or from a file in timm's layout."""

from pathlib import Path

import timm
import torch
from timm.models import load_state_dict
from torch import Tensor, nn

from lseg.checkpoints.timm_hub import timm_source
from lseg.config import TrunkConfig
from lseg.errors import CheckpointError, LSegError
from lseg.models.backbones import Backbone
from lseg.models.build import build_backbone
from lseg.paths import resolve_data_path


def pretrained_backbone(config: TrunkConfig, source: str) -> Backbone:
    """The backbone of `config` with pretrained weights.

    Args:
        config: Which backbone.
        source: `timm` (downloads timm's own weights), or a file with a state dict in timm's layout;
            relative paths are looked up under LSEG_DATA first.

    Raises:
        CheckpointError: If the file is missing, or does not fit, naming the first wrong key; if
            timm has no weights, or cannot reach them.
    """
    if source == "timm":
        overlay = timm_source(config.backbone)
        try:
            return build_backbone(config, pretrained=True, pretrained_cfg_overlay=overlay)
        except LSegError:
            raise
        except Exception as error:  # any of torch's and of the clients of two hubs
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(f"timm's weights of {config.backbone}: {reason}") from error
    weights = _read(config, resolve_data_path(source))
    return build_backbone(
        config, pretrained=True, num_classes=0, pretrained_cfg_overlay={"state_dict": weights}
    )


def _read(config: TrunkConfig, path: Path) -> dict[str, Tensor]:
    """What the file holds for the backbone, without a head.

    timm loads feature extractors without insisting on every key; we do.
    """
    if not path.is_file():
        raise CheckpointError(f"backbone_weights: no such file {path}; give a path, or 'timm'")
    try:
        weights = load_state_dict(str(path))
    except Exception as error:  # any of pickle's, zip's and safetensors' errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path} cannot be read as weights: {reason}") from error
    with torch.device("meta"):
        net: nn.Module = timm.create_model(
            config.backbone, **{**config.backbone_options, "num_classes": 0}
        )
    expected = net.state_dict()
    for name, tensor in expected.items():
        if not isinstance(weights.get(name), Tensor):
            raise CheckpointError(f"{path} is not for {config.backbone}: it lacks {name!r}")
        given, wanted = tuple(weights[name].shape), tuple(tensor.shape)
        if given != wanted and "pos_embed" not in name:  # timm resamples positions
            raise CheckpointError(f"{path}: {name!r} has shape {given}, expected {wanted}")
    return {name: weights[name] for name in expected}
