"""LSeg: language-driven semantic segmentation (Li et al., ICLR 2022, arXiv:2201.03546).

image ── trunk (DPT) ── project ── pixel embeddings ─┐
├─ cosine / 0.07 ─ spatial block ─ upsample
labels ── frozen text encoder ── label vectors ──────┘
"""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import LSegConfig
from lseg.errors import ConfigError, LabelError
from lseg.models.build import build_spatial_block, build_trunk
from lseg.models.embeddings import AffineMap, PixelEmbeddings, at_least_float32, merge_projections
from lseg.models.maps import all_logits
from lseg.models.network import Network
from lseg.models.similarity import Comparison, PixelLogits, coarse_logits, compare
from lseg.models.trunk import pad_to_multiple
from lseg.store.folder import StoredNetwork
from lseg.text.encoder import LabelEncoder
from lseg.text.location import relative

Labels = Sequence[str] | Tensor


class Look(NamedTuple):
    """What the network sees in a batch of pictures.

    Attributes:
        embeddings: Of the pixels.
        levels: The backbone's maps (B, D, h, w), the finest first, before the decoder.
    """

    embeddings: PixelEmbeddings
    levels: tuple[Tensor, ...]

    def picture(self, number: int) -> "Look":
        """Of one of them, as a batch of 1."""
        one = slice(number, number + 1)
        embeddings = dataclasses.replace(self.embeddings, features=self.embeddings.features[one])
        return Look(embeddings, tuple(level[one] for level in self.levels))


class LSeg(Network):
    """Per-pixel logits over any set of labels.

    The text encoder is not part of the module tree: it has no entry in the state dict, is never
    trained, and is built only when label strings are first asked for.
    """

    config_type = LSegConfig
    config: LSegConfig
    cells = False
    """Whether embeddings are those of cells of the picture; see `lseg.models.upsample`."""

    def __init__(self, config: LSegConfig) -> None:
        """A network with random weights; see `lseg.load_model` for trained ones."""
        super().__init__(config)
        self.text = LabelEncoder(config.text, config.embed_dim)
        self.build_image_side()

    def build_image_side(self) -> None:
        """Makes `trunk`, `project` and `spatial_block`."""
        config = self.config
        self.trunk = build_trunk(config.trunk)
        self.project = nn.Conv2d(config.trunk.features, config.embed_dim, 1)
        self.spatial_block = build_spatial_block(config)

    @classmethod
    def from_stored(cls, checkpoint: StoredNetwork) -> Self:
        """As `Network.from_stored`; a text tower that came with the network encodes its labels."""
        model = super().from_stored(checkpoint)
        model.text.tower, model.text.folder = checkpoint.text_tower, checkpoint.folder
        return model

    def config_in(self, folder: Path) -> LSegConfig:
        """As `Network.config_in`; a table beside the model is found from there."""
        text = relative(self.config.text, folder, self.text.folder)
        return dataclasses.replace(self.config, text=text)

    @property
    def text_tower(self) -> Path | None:
        """File with the weights of the text tower that came with the network, if one did."""
        return self.text.tower

    def forward(self, pixels: Tensor, labels: Labels) -> Tensor:
        """Logits of every label at every pixel.

        Args:
            pixels: (B, 3, H, W), normalised as `config.preprocessing` says; H and W from 32 up.
            labels: Names, or vectors (N, C), or vectors (B, N, C) of each image's own labels;
                vectors of any norm, which are brought to 1.

        Returns:
            (B, N, H, W) logits.
        """
        return all_logits(self.logits(pixels, labels))

    def logits(self, pixels: Tensor, labels: Labels) -> PixelLogits:
        """As `forward`, but logits are computed only where rows of them are asked for."""
        (logits,) = self.logits_of_parts(pixels, [len(pixels)], [labels])
        return logits

    def logits_of_parts(
        self, pixels: Tensor, counts: Sequence[int], labels: Sequence[Labels]
    ) -> list[PixelLogits]:
        """As `logits`, where parts of a batch are asked for labels of their own.

        Args:
            pixels: (B, 3, H, W).
            counts: Pictures of each part, B in all; the parts stand one behind another.
            labels: Of each part.
        """
        padded, size = pad_to_multiple(pixels, self.trunk.multiple)
        parts, shape = self.embed(padded).split(counts), (padded.shape[-2], padded.shape[-1])
        return [
            self.pixel_logits(part, asked, shape, size)
            for part, asked in zip(parts, labels, strict=True)
        ]

    def pixel_logits(
        self,
        embeddings: PixelEmbeddings,
        labels: Labels,
        padded: tuple[int, int],
        size: tuple[int, int],
    ) -> PixelLogits:
        """Pixel embeddings against labels, at the size of the input.

        Args:
            embeddings: Of the pictures.
            labels: See `forward`.
            padded: Height and width of the input on the patch grid.
            size: Its height and width without padding.
        """
        return PixelLogits(self.compare(embeddings, labels), padded, size, self.cells)

    def encode_image(self, pixels: Tensor) -> Tensor:
        """Pixel embeddings at the network's own output stride, before the unit-norm division.

        Args:
            pixels: (B, 3, H, W), normalised; H and W from 32 up.

        Returns:
            (B, C, *output_size(H, W)).
        """
        padded, (height, width) = pad_to_multiple(pixels, self.trunk.multiple)
        rows, columns = self.output_size(height, width)
        return self.embed(padded).dense()[..., :rows, :columns]

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the pixel embeddings of an input: half of it, rounded up.

        (At patch size 14, 8/14 of it.)
        """
        return math.ceil(height / self.stride), math.ceil(width / self.stride)

    @property
    def stride(self) -> float:
        """Pixels of the input per pixel embedding, across and down."""
        return self.trunk.stride / 2

    def encode_labels(self, labels: Sequence[str], distinct: bool = True) -> Tensor:
        """Unit vectors (N, C), float32, on the model's device; `a|b` is the mean of its synonyms.

        Args:
            labels: Free text.
            distinct: Refuse different labels that are one and the same to the text encoder.

        Raises:
            LabelError: If there are no labels, a label table lacks one, or two are one.

        Warns:
            LSegWarning: Of labels that a table answers by another of its words.
        """
        vectors = self.text.encode(labels, self.device, distinct)
        self.text.warn_of_notes(labels, stacklevel=2)
        return vectors

    def embed(self, padded: Tensor) -> PixelEmbeddings:
        """Pixels on the patch grid (B, 3, H, W) to their embeddings, (B, C, H/2, W/2) if dense.

        The decoder's last projection is merged with the one to C channels, and neither is run.
        """
        return self.look(padded).embeddings

    def look(self, padded: Tensor) -> "Look":
        """As `embed`, with the backbone's maps."""
        levels, features = self.trunk.look(padded)
        embeddings = PixelEmbeddings(at_least_float32(features), self.projection)
        return Look(embeddings, tuple(level.map for level in levels))

    @property
    def projection(self) -> AffineMap:
        """From the decoder's features to embeddings."""
        return merge_projections(self.trunk.project, self.project)

    def compare(self, embeddings: PixelEmbeddings, labels: Labels) -> Comparison:
        """Pixel embeddings against labels: logits (B, N, H/2, W/2), computed when asked for."""
        text = self.label_vectors(labels)
        batch = len(embeddings.features)
        if text.ndim == 3 and len(text) != batch:
            raise LabelError(f"label vectors of {len(text)} images for {batch} images")
        return compare(embeddings, text, self.config.logit_scale, self.spatial_block)

    def coarse_logits(self, pixels: Tensor, labels: Labels) -> Tensor:
        """Logits (B, N, H/4, W/4) without any upsampling: a cheaper training signal.

        Raises:
            ConfigError: If a spatial block needs the logits at half resolution.
        """
        (logits,) = self.coarse_logits_of_parts(pixels, [len(pixels)], [labels])
        return logits

    def coarse_logits_of_parts(
        self, pixels: Tensor, counts: Sequence[int], labels: Sequence[Labels]
    ) -> list[Tensor]:
        """As `coarse_logits`, of parts of a batch; see `logits_of_parts`.

        Raises:
            ConfigError: As `coarse_logits`.
        """
        if self.config.block != "none":
            raise ConfigError("spatial blocks work at half resolution: use loss_stride 1")
        padded, _ = pad_to_multiple(pixels, self.trunk.multiple)
        return [
            coarse_logits(part, self.label_vectors(asked), self.config.logit_scale)
            for part, asked in zip(self.embed(padded).split(counts), labels, strict=True)
        ]

    def label_vectors(self, labels: Labels) -> Tensor:
        """Label names, or vectors of any norm, to unit vectors (N, C) or (B, N, C).

        Raises:
            LabelError: If a tensor has another width than C.
        """
        if not isinstance(labels, Tensor):
            return self.encode_labels(labels)
        width = self.config.embed_dim
        if labels.ndim not in (2, 3) or labels.shape[-1] != width or labels.shape[-2] == 0:
            raise LabelError(
                f"label vectors have shape {tuple(labels.shape)}: this model takes (N, "
                f"{width}) or (B, N, {width}), N at least 1"
            )
        return F.normalize(labels.to(self.device), dim=-1)
