"""Networks without a decoder: an encoder of pictures and texts."""

from dataclasses import dataclass, field
from typing import Any, Literal

from lseg.config.lseg import LSegConfig
from lseg.config.trunk import Positions

Attention = Literal["value", "neighbour", "full"]


@dataclass(frozen=True)
class HeadConfig:
    """Blocks on top of an image encoder that met a text encoder in its stead (dino.txt).

    Attributes:
        blocks: How many there are; none of an encoder that met the text itself.
        hidden: Width within their perceptrons (SwiGLU).
    """

    blocks: int = 0
    hidden: int = 0


@dataclass(frozen=True)
class EncoderConfig:
    """An image encoder whose patch features live in the space of a text encoder.

    Attributes:
        backbone: timm model name: a plain vision transformer, or one with rotary positions (`Eva`).
        backbone_options: Further arguments of `timm.create_model`.
        head: What was trained on top of it.
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
    head: HeadConfig = field(default_factory=HeadConfig)
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

    @property
    def image_encoder(self) -> str:
        """See `NetworkConfig`."""
        return self.encoder.backbone

    def to_dict(self) -> dict[str, Any]:
        """See `NetworkConfig`; without what means nothing here."""
        values = super().to_dict()
        unused = ("trunk", "block", "block_depth", "block_activation")
        return {key: value for key, value in values.items() if key not in unused}
