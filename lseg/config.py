"""Typed configuration of a network: everything needed to rebuild it, and nothing else."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from lseg.errors import ConfigError, shown
from lseg.plain import built, plain

Readout = Literal["ignore", "add", "project"]
Block = Literal["none", "depthwise", "bottleneck"]
Activation = Literal["relu", "lrelu", "tanh"]
Attention = Literal["value", "neighbour", "full"]
Positions = Literal["bilinear", "antialiased", "bicubic"]
OddGrids = Literal["pad", "level", "double"]
ReadoutActivation = Literal["gelu", "gelu_tanh"]
DepthActivation = Literal["relu", "sigmoid"]

HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LARGEST_SIDE = 4096
"""To which a model may want the shorter side of pictures resized, in pixels."""

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
            `bicubic` (DINOv2), or bilinear and `antialiased` (TIPSv2).
        odd_grids: What is done where a transformer's grid is odd, so that the coarsest level is not
            half of it. `pad`: nothing, for pictures are padded until it is even (the paper's
            networks). `level`: a coarser map is brought to the size of the level that it is added
            to (Depth Anything). `double`: every map is doubled, and the level is stretched to that
            (DPT with a backbone of its own in transformers).
        readout_activation: What follows the readout's projection: GELU, or its tanh approximation.
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

    def __post_init__(self) -> None:
        """Refuses options that would load weights."""
        for name in NOT_OF_A_NETWORK:
            if name in self.backbone_options:
                raise ConfigError(
                    f"backbone_options has {name!r}: options say what the network is like; give "
                    "weights as `backbone_weights` of a training"
                )


@dataclass(frozen=True)
class TextConfig:
    """Where label vectors come from.

    Attributes:
        model: open_clip model name, `local-dir:FOLDER`, `hf:NAME` (a model of the transformers
            library: a folder, or a Hub id), or `tiny` (the embedded CLIP).
        pretrained: open_clip tag or the path of a weight file; None, or left aside, where `model`
            implies it.
        table: A label-embedding table (`.safetensors`) that stands in for the encoder. Relative
            paths are looked up beside the file that holds them (a model folder's configuration),
            under the environment variable LSEG_DATA, then here.
        templates: Prompt templates; `{}` is the label, all other braces are text. LSeg uses the
            bare name.
    """

    model: str = "ViT-B-32"
    pretrained: str | None = "openai"
    table: str | None = None
    templates: tuple[str, ...] = ("{}",)

    def __post_init__(self) -> None:
        """Refuses templates without a place for the label."""
        if not self.templates or not all("{}" in template for template in self.templates):
            raise ConfigError(
                f"templates are {shown(self.templates)}: each needs a {{}} for the label"
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From plain values.

        Raises:
            ConfigError: If a key is unknown, or a value of another type.
        """
        return built(cls, values, cls.__name__)


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the network's input.

    Attributes:
        mean: RGB mean that is subtracted from pixel values in [0, 1].
        std: RGB standard deviation that they are then divided by.
        size: Length in pixels to which `Segmenter` resizes a picture's shorter side.
        guided: Whether `Segmenter`'s logits follow the picture's outlines, see
            `lseg.models.guided`.
    """

    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF
    size: int = 480
    guided: bool = False

    def __post_init__(self) -> None:
        """Refuses values that no picture can be prepared by."""
        if 0 in self.std:
            raise ConfigError(f"std is {self.std}: pixel values cannot be divided by 0")
        if not 0 <= self.size <= LARGEST_SIDE:
            raise ConfigError(
                f"size is {shown(self.size)}: give a side in pixels, at most {LARGEST_SIDE}, or 0 "
                "for no resizing"
            )


@dataclass(frozen=True)
class NetworkConfig:
    """What every network of the DPT family has.

    Attributes:
        architecture: Name under which networks of this kind are stored.
        trunk: Image encoder up to the last fusion block.
        preprocessing: What the image encoder expects.
    """

    architecture: ClassVar[str]
    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, ready for JSON."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            ConfigError: If a key is unknown, with the nearest known one.
        """
        return built(cls, values, cls.__name__)


@dataclass(frozen=True)
class DepthConfig(NetworkConfig):
    """A depth network.

    MiDaS networks and Depth Anything give inverse depth; DPT's for KITTI and NYU invert it to
    metres; others give metres as they are.

    Attributes:
        scale: Factor of the inverse depth, where it is inverted.
        shift: Added to it, where it is inverted.
        invert: Give depth instead of inverse depth.
        metric: Whether the answer is in metres without being inverted.
        mixes: Whether the head begins with a 3x3 convolution and a ReLU of its own (DINOv2).
        hidden: Channels before the head's last convolution.
        activation: What follows that: ReLU, or a sigmoid (metric Depth Anything).
        max_depth: Factor of the activation's answer; the farthest depth, where there are bins.
        bins: Number of depths, evenly from `min_depth` to `max_depth`, of which the answer is a
            weighted mean (TIPSv2, after AdaBins); 0 where the head gives the depth itself.
        min_depth: The nearest of them.
    """

    architecture = "dpt-depth"
    scale: float = 1.0
    shift: float = 0.0
    invert: bool = False
    metric: bool = False
    mixes: bool = False
    hidden: int = 32
    activation: DepthActivation = "relu"
    max_depth: float = 1.0
    bins: int = 0
    min_depth: float = 0.0

    @property
    def unit(self) -> str:
        """What the answer is measured in: `metres`, or `inverse depth` of no known scale."""
        return "metres" if self.invert or self.metric else "inverse depth"


@dataclass(frozen=True)
class SegmentationConfig(NetworkConfig):
    """A network for fixed classes.

    Attributes:
        labels: Their names, in the order of the logits.
        plain_head: Whether the head is two convolutions and nothing between (TIPSv2).
    """

    architecture = "dpt-segmentation"
    labels: tuple[str, ...] = ()
    plain_head: bool = False


@dataclass(frozen=True)
class NormalsConfig(NetworkConfig):
    """A network for surface normals."""

    architecture = "dpt-normals"


@dataclass(frozen=True)
class LSegConfig(NetworkConfig):
    """An LSeg network (Li et al., ICLR 2022). The defaults are the published ViT-L/16.

    Attributes:
        text: Source of the label vectors.
        embed_dim: Width C of pixel embeddings and label vectors.
        logit_scale: Constant factor of the cosine similarity; 1/0.07 in CLIP and LSeg.
        block: Kind of the spatial regularisation block that works on the logits.
        block_depth: How often the block is applied.
        block_activation: Its activation, left out the last time.
        labels: The label set of the training, for information.
        description: What the network knows, in words, for information.
    """

    architecture = "lseg"
    text: TextConfig = field(default_factory=TextConfig)
    embed_dim: int = 512
    logit_scale: float = 1 / 0.07
    block: Block = "none"
    block_depth: int = 1
    block_activation: Activation = "relu"
    labels: tuple[str, ...] = ()
    description: str = ""

    @classmethod
    def preset(cls, name: str) -> Self:
        """A named configuration: vitl16, vitb16, vitb32, hybrid, resnet101 or tiny.

        Raises:
            ConfigError: If there is no preset of that name.
        """
        if name not in PRESETS:
            raise ConfigError(f"unknown preset {name!r}: choose one of {', '.join(PRESETS)}")
        return cls(**PRESETS[name])


@dataclass(frozen=True)
class EncoderConfig:
    """An image encoder whose patch features live in the space of a text encoder.

    Attributes:
        backbone: timm model name: a plain vision transformer.
        backbone_options: Further arguments of `timm.create_model`.
        norm_eps: Added to the variance in its norms; timm's own by default.
        projected: Whether a linear map leads from its features to the embeddings.
        attention: What a patch takes from others in the last block. `value`: nothing but its own
            value (MaskCLIP, arXiv:2112.01071). `neighbour`: from patches with alike keys, and near
            ones first (NACLIP, arXiv:2404.08181). `full`: as the encoder was trained.
        neighbourhood: Standard deviation, in patches, of what counts as near.
        positions: How position embeddings are brought to another grid.
    """

    backbone: str = "vit_base_patch16_clip_224"
    backbone_options: dict[str, Any] = field(default_factory=dict)
    norm_eps: float | None = None
    projected: bool = True
    attention: Attention = "value"
    neighbourhood: float = 5.0
    positions: Positions = "bilinear"


@dataclass(frozen=True)
class AlignedConfig(LSegConfig):
    """A network without a decoder: every patch feature is compared with text.

    What an LSeg's configuration says of its trunk and its spatial block means nothing here.

    Attributes:
        encoder: The image encoder.
        licence: Of the weights, as their authors name it; empty where it is not told.
    """

    architecture = "aligned"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    licence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """See `NetworkConfig`; without what means nothing here."""
        values = super().to_dict()
        unused = ("trunk", "block", "block_depth", "block_activation")
        return {key: value for key, value in values.items() if key not in unused}


_VIT_BASE_WIDTHS = (96, 192, 384, 768)

PRESETS: dict[str, dict[str, Any]] = {
    "vitl16": {},
    "vitb16": {
        "trunk": TrunkConfig("vit_base_patch16_384", {}, (2, 5, 8, 11), _VIT_BASE_WIDTHS),
    },
    "vitb32": {
        "trunk": TrunkConfig("vit_base_patch32_384", {}, (2, 5, 8, 11), _VIT_BASE_WIDTHS),
    },
    "hybrid": {
        "trunk": TrunkConfig("vit_base_r50_s16_384", {}, (0, 1, 8, 11), (256, 512, 768, 768)),
    },
    "resnet101": {
        "trunk": TrunkConfig("resnet101", {}, (1, 2, 3, 4), (256, 512, 1024, 2048), "ignore"),
        "preprocessing": Preprocessing(IMAGENET_MEAN, IMAGENET_STD),
    },
    "tiny": {
        "trunk": TrunkConfig(
            "resnet10t", {"channels": [32, 48, 96, 128], "stem_width": 16}, (1, 2, 3, 4),
            (32, 48, 96, 128), readout="ignore", features=32,
        ),
        "text": TextConfig("tiny", None),
        "preprocessing": Preprocessing(size=128),
        "embed_dim": 64,
    },
}  # fmt: skip
