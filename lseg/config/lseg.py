"""LSeg: a DPT whose pixel embeddings are compared with text."""

from dataclasses import dataclass, field
from typing import Literal, Self

from lseg.config.network import NetworkConfig
from lseg.config.presets import PRESETS
from lseg.config.text import TextConfig
from lseg.errors import ConfigError

Block = Literal["none", "depthwise", "bottleneck"]
Activation = Literal["relu", "lrelu", "tanh"]


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
