"""The image encoder: a backbone, and the decoder of DPT on it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from lseg.errors import ConfigError

Readout = Literal["ignore", "add", "project"]
Positions = Literal["bilinear", "antialiased", "bicubic", "bicubic-antialiased"]
OddGrids = Literal["pad", "level", "double"]
ReadoutActivation = Literal["gelu", "gelu_tanh"]

NOT_OF_A_NETWORK = (
    "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir",
)  # fmt: skip
"""Arguments of `timm.create_model` that say where weights come from: it would fetch a file, or open
one of this machine, that somebody's configuration names."""


@dataclass(frozen=True)
class TrunkConfig:
    """The DPT trunk: backbone, reassemble and fusion (Ranftl et al., ICCV 2021).

    Attributes:
        backbone: timm model name: a ViT, a ResNet/ViT hybrid, or any network with `features_only`;
            or `hf:NAME`, an image encoder of the transformers library (a folder, or a Hub id).
        backbone_options: Further arguments of `timm.create_model` (`depth`, `pad_type`, ...); of
            `hf:NAME` values of its configuration, all of which stand here once a network is built.
        levels: Where the four feature maps are taken, finest first: block indices of a ViT,
            `out_indices` of a convolutional net; for a hybrid, two stem stages, then two blocks;
            of `hf:NAME` indices of blocks or stages from 0.
        level_widths: Channels of each reassembled ViT level (convolutional levels keep their own).
        readout: What happens to the class token: dropped, added, or concatenated and projected.
        features: Channels of the fusion blocks.
        batch_norm: Batch norm in the residual units (segmentation) or none (depth).
        unit_bias: Whether convolutions of residual units without batch norm have a bias.
        level_norm: Whether levels come through the transformer's final norm.
        positions: How position embeddings are resampled to another grid: `bilinear` (DPT, LSeg),
            `bicubic` (DINOv2; with registers `bicubic-antialiased`), or bilinear and `antialiased`
            (TIPSv2).
        odd_grids: What is done where a transformer's grid is odd, so that the coarsest level is not
            half of it. `pad`: nothing, for pictures are padded until it is even (the paper's
            networks). `level`: a coarser map is brought to the size of the level that it is added
            to (Depth Anything). `double`: every map is doubled, and the level is stretched to that
            (DPT with a backbone of its own in transformers).
        readout_activation: What follows the readout's projection: GELU, or its tanh approximation.
        context: Whether the coarsest level's mean over the picture, projected, is added to each of
            its pixels (ParseNet, arXiv:1506.04579): what a readout token is to a transformer. For
            image encoders that give feature maps.
    """

    backbone: str = "vit_large_patch16_384"
    backbone_options: dict[str, Any] = field(default_factory=dict)
    levels: tuple[int, int, int, int] = (5, 11, 17, 23)
    level_widths: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    readout: Readout = "project"
    features: int = 256
    batch_norm: bool = True
    unit_bias: bool = True
    level_norm: bool = False
    positions: Positions = "bilinear"
    odd_grids: OddGrids = "pad"
    readout_activation: ReadoutActivation = "gelu"
    context: bool = False

    def __post_init__(self) -> None:
        """Refuses options that would load weights."""
        for name in NOT_OF_A_NETWORK:
            if name in self.backbone_options:
                raise ConfigError(
                    f"backbone_options has {name!r}: options say what the network is like; give "
                    "weights as `backbone_weights` of a training"
                )
