"""An LSeg without a decoder: patches of a frozen image encoder against text.

image ── vision transformer ── patch features ── project ─┐
                                                          ├─ cosine × scale ─ upsample
labels ── its own text encoder ── label vectors ──────────┘
"""

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lseg.config import AlignedConfig, Attention, NetworkConfig
from lseg.models.aligned.build import build_encoder
from lseg.models.aligned.encoder import PatchEncoder
from lseg.models.embeddings import AffineMap, PixelEmbeddings, at_least_float32
from lseg.models.lseg import Look, LSeg
from lseg.store.aligned.text import keep_text


class Projected(NamedTuple):
    """What `PatchTrunk` makes of pixels: features (B, F, h, w), and the maps before them."""

    features: Tensor
    levels: tuple[Tensor, ...]


class PatchTrunk(nn.Module):
    """An image encoder in the place of a DPT trunk; its grid is that of the patches."""

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__()
        self.backbone = encoder
        self.multiple = self.coarsest = encoder.patch
        self.stride = float(encoder.patch)
        self.autocast: torch.dtype | None = None
        self.exact_backbone = False

    def order_kernels(self) -> None:
        """Nothing here has an order that matters; see `Trunk`."""

    @property
    def exact_parts(self) -> set[nn.Module]:
        """None; see `Trunk`."""
        return set()

    def refine(self, pixels: Tensor) -> Tensor:
        """The features of `look`."""
        return self.look(pixels).features

    def look(self, pixels: Tensor) -> Projected:
        """Normalised pixels (B, 3, H, W) on the patch grid; products in `autocast`, if set."""
        device, dtype = pixels.device.type, self.autocast
        with nullcontext() if dtype is None else torch.autocast(device, dtype):
            patches = self.backbone.look(pixels)
        return Projected(at_least_float32(patches.features), (patches.tokens,))


class AlignedEncoder(LSeg):
    """Per-patch logits over any set of labels, by an encoder of pictures and texts.

    `encode_image` gives (B, C, H/p, W/p) for patches of p pixels, rounded up.
    """

    config_type = AlignedConfig
    config: AlignedConfig
    trunk: PatchTrunk  # type: ignore[assignment]
    project: nn.Linear | nn.Identity  # type: ignore[assignment]
    cells = True

    def build_image_side(self) -> None:
        """See `LSeg`; `project` is a linear map to the embeddings, or nothing."""
        config = self.config
        encoder = build_encoder(config.encoder)
        self.trunk = PatchTrunk(encoder)
        projected = config.encoder.projected
        self.project = nn.Linear(encoder.width, config.embed_dim) if projected else nn.Identity()
        self.spatial_block = nn.Identity()

    def set_attention(self, attention: Attention) -> None:
        """What a patch takes from others in the last block; see `EncoderConfig`."""
        encoder = dataclasses.replace(self.config.encoder, attention=attention)
        self.config = dataclasses.replace(self.config, encoder=encoder)
        self.trunk.backbone.attention = attention

    @property
    def stride(self) -> float:
        """See `LSeg`: the side of a patch."""
        return self.trunk.stride

    def _write(self, folder: Path, config: NetworkConfig, dtype: torch.dtype | None) -> None:
        """As `Network`; the text side is kept in the folder `text`, so that it answers offline."""
        assert isinstance(config, AlignedConfig)
        text = keep_text(self.config.text, folder, self.text.folder)
        if text != self.config.text:
            config = dataclasses.replace(config, text=text)
        super()._write(folder, config, dtype)

    def look(self, padded: Tensor) -> Look:
        """See `LSeg`; the one level is what enters the encoder's last block."""
        features, levels = self.trunk.look(padded)
        return Look(PixelEmbeddings(features, self.projection, factor=1), levels)

    @property
    def projection(self) -> AffineMap:
        """From the encoder's features to embeddings."""
        if isinstance(self.project, nn.Linear):
            return AffineMap(self.project.weight, self.project.bias)
        width = self.config.embed_dim
        weight = torch.eye(width, device=self.device)
        return AffineMap(weight, weight.new_zeros(width))
