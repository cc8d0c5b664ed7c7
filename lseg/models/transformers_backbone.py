"""Image encoders of the transformers library as four-level feature extractors.

Those that its `AutoBackbone` knows (DINOv2, DINOv3, BEiT, Swin, ConvNeXt, TIPSv2, ...), and the
image towers of CLIP and SigLIP. They are built from their configuration alone, which is part of
ours, so that a stored network needs neither the Hub nor the folder that it came from. Maps are
transformers' own: where a family norms them (`apply_layernorm`), they are normed.
"""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from lseg.config import TrunkConfig
from lseg.errors import ConfigError
from lseg.models.levels import Backbone, Level, LevelInfo, halving
from lseg.models.transformers_network import Features, build_network, features_of, load_network

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CELLS = (16, 24)
"""Rows and columns of patches in the picture by which a network is measured."""


class TransformersBackbone(Backbone):
    """A network of transformers; levels are the outputs of four of its blocks or stages."""

    def __init__(self, config: TrunkConfig, weights: dict[str, Tensor] | None = None) -> None:
        """Builds it.

        Args:
            config: Of `with_architecture`.
            weights: As `load_network`; random by default.

        Raises:
            ConfigError: If transformers has no such image encoder, or it gives no four levels.
            CheckpointError: If the weights are not for it.
        """
        super().__init__()
        self.net = build_network(config) if weights is None else load_network(config, weights)
        with torch.device("meta"):  # measuring costs next to nothing there
            facts = measure(build_network(config), config.backbone)
        self.levels, self.prefix, self.has_readout = facts.levels, facts.prefix, facts.has_readout
        self.patch = patch_size(self.net)
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(name in facts.used)  # several devices wait for all gradients

    @property
    def repeated(self) -> nn.Module | None:
        """See `Backbone`."""
        if not self.levels[0].tokens:
            return None
        depth = self.net.config.num_hidden_layers
        rows = (part for part in self.net.modules() if isinstance(part, nn.ModuleList))
        return next((row for row in rows if len(row) == depth), None)

    def forward(self, pixels: Tensor) -> list[Level]:
        """See `Backbone`."""
        grid = pixels.shape[-2] // self.patch, pixels.shape[-1] // self.patch
        return [self._level(features, grid) for features in features_of(self.net, pixels)]

    def _level(self, features: Features, grid: tuple[int, int]) -> Level:
        values, token = features
        if values.ndim == 4:
            return Level(values, token)
        # A map in channels-last memory, which the decoder's convolutions like, costs no copy.
        cells = values[:, self.prefix :].unflatten(1, grid).permute(0, 3, 1, 2)
        return Level(cells, values[:, 0] if self.prefix else token)


class Facts(NamedTuple):
    """What a network says of itself when it looks at a picture.

    Attributes:
        levels: Of its outputs.
        prefix: Class and register tokens before those of the patches; the first is the readout.
        has_readout: Whether there is one.
        used: Names of the parameters that the outputs depend on. (A mask token is none.)
    """

    levels: tuple[LevelInfo, ...]
    prefix: int
    has_readout: bool
    used: frozenset[str]


def measure(net: "PreTrainedModel", name: str) -> Facts:
    """Looks at a picture that is not square.

    Args:
        net: On the device `meta`.
        name: For errors.

    Raises:
        ConfigError: If the outputs are neither tokens nor maps, each of half the size; or the
            network takes pictures of one size alone.
    """
    patch = patch_size(net)
    pixels = torch.empty(1, 3, CELLS[0] * patch, CELLS[1] * patch, device="meta")
    try:
        with torch.inference_mode(False), torch.enable_grad():
            outputs = features_of(net.eval(), pixels)
            torch.stack([values.sum() for values, _ in outputs]).sum().backward()
    except Exception as error:  # of any class, by the code of the many networks
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"{name} takes pictures of one size alone: {reason}") from error
    used = frozenset(key for key, value in net.named_parameters() if value.grad is not None)
    if outputs[0].values.ndim == 3:
        levels = [LevelInfo(values.shape[-1], patch, tokens=True) for values, _ in outputs]
        prefix = outputs[0].values.shape[1] - CELLS[0] * CELLS[1]
        return Facts(tuple(levels), prefix, bool(prefix) or outputs[0].token is not None, used)
    strides = [pixels.shape[-1] // values.shape[-1] for values, _ in outputs]
    same = set(strides) == {patch}  # a plain transformer that gives maps at once
    if not same and not halving(strides):
        raise ConfigError(
            f"{name} gives maps at strides {strides}: a backbone gives four, each half the one "
            "before, or tokens"
        )
    widths = [values.shape[1] for values, _ in outputs]
    levels = [LevelInfo(w, stride, tokens=same) for w, stride in zip(widths, strides, strict=True)]
    return Facts(tuple(levels), 0, False, used)


def patch_size(net: "PreTrainedModel") -> int:
    """Side of a patch in pixels; of a network without patches, the stride of the finest map."""
    size = getattr(net.config, "patch_size", None) or 4
    return size if isinstance(size, int) else size[0]
