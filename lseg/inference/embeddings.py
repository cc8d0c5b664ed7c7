"""Pixel embeddings of a picture, computed a strip of rows at a time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.errors import ConfigError
from lseg.inference.embed_config import EmbedConfig, PaddedSizes, PictureSizes, Size
from lseg.inference.layout import as_chw, stored_shape
from lseg.inference.pca import PCA
from lseg.inference.views import InferenceConfig, resized_shape, views
from lseg.inference.windows import WindowRows, Windows, window_starts
from lseg.models.embeddings import PixelEmbeddings
from lseg.models.lseg import LSeg
from lseg.models.maps import AverageMaps, Maps, MirroredMaps, ResizedMaps, Tile, UndividedMaps
from lseg.models.strips import row_strips
from lseg.models.trunk import pad_to_multiple
from lseg.models.upsample import row_span

STRIP_BYTES = 2**26
"""About how large the float32 embeddings of a strip are."""


class EmbeddingMaps(UndividedMaps):
    """Embeddings on the network's own grid as maps, one a channel; see `lseg.models.maps.Maps`."""

    def __init__(self, embeddings: PixelEmbeddings, size: Size) -> None:
        """`size` is that of the network's output without padding."""
        self.embeddings = embeddings
        self.size = size
        self.batch = len(embeddings.features)
        self.labels = len(embeddings.projection.bias)
        self.device = embeddings.features.device

    def rows(self, start: int, stop: int) -> Tensor:
        """(B, C, stop - start, W), before any division."""
        features = self.embeddings.features
        span = row_span(start, stop, features.shape[-2], self.embeddings.size)
        part = self.embeddings.projection.of(features[:, :, span.first : span.last])
        return span.upsample(part)[..., : self.size[1]]


class UnitMaps(UndividedMaps):
    """Embeddings divided by their norms, place by place."""

    def __init__(self, source: Maps) -> None:
        self.source = source
        self.batch, self.labels = source.batch, source.labels
        self.size, self.device = source.size, source.device

    def rows(self, start: int, stop: int) -> Tensor:
        """(B, C, stop - start, W)."""
        return F.normalize(self.source.rows(start, stop), dim=1)


@dataclass(frozen=True)
class EmbeddedPicture:
    """The embeddings of one picture, not yet computed but for the network's part.

    Attributes:
        maps: Embeddings before the division by their norms, at the size of the result.
        config: What was asked for.
        sizes: Of the picture.
        padding: Of the network, where the result is one pass of it on its own grid.
        pca: Reduces the embeddings.
        image: The picture, (3, H, W) uint8.
    """

    maps: Maps
    config: EmbedConfig
    sizes: PictureSizes
    padding: PaddedSizes | None
    pca: PCA | None
    image: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array, in its layout."""
        return stored_shape(self.config.layout, self.channels, *self.maps.size)

    @property
    def channels(self) -> int:
        """C, or K of a PCA."""
        return self.maps.labels if self.pca is None else len(self.pca.components)

    @property
    def one_pass(self) -> PixelEmbeddings:
        """What the network made of the picture, on the padded grid; of a `plain` config only."""
        assert isinstance(self.maps, EmbeddingMaps)
        return self.maps.embeddings

    @torch.inference_mode()
    def strips(self) -> Iterator[tuple[int, Tensor]]:
        """First row and rows (C, r, W) float32, from top to bottom; of K channels after a PCA."""
        for start, stop in row_strips(self.maps, STRIP_BYTES):
            rows = self.maps.rows(start, stop).float()
            if self.config.normalize:
                rows = F.normalize(rows, dim=1)
            yield start, (rows if self.pca is None else self.pca.reduce(rows))[0]

    def array(self) -> np.ndarray:
        """All of it, in the layout and of the type that were asked for."""
        result = np.empty(self.shape, self.config.dtype)
        view = as_chw(result, self.config.layout)
        for start, rows in self.strips():
            view[:, start : start + rows.shape[1]] = stored(rows, self.config)
        return result


def stored(rows: Tensor, config: EmbedConfig) -> np.ndarray:
    """Float32 embeddings as they are stored.

    Raises:
        ConfigError: If one is too large for float16, as only those that keep their norms can be.
    """
    limit = float(np.finfo(config.dtype).max)
    if not config.normalize and limit < (peak := rows.abs().max().item()) < math.inf:
        raise ConfigError(
            f"an embedding has a value of {peak:.6g}, and {config.dtype} ends at {limit:.0f}: ask "
            "for float32 (--dtype float32), or for unit vectors (without --raw)"
        )
    return rows.cpu().numpy().astype(config.dtype)


@torch.inference_mode()
def embed_picture(
    model: LSeg, image: Tensor, config: EmbedConfig, pca: PCA | None = None
) -> EmbeddedPicture:
    """Embeddings of a picture (3, H, W) uint8.

    The network runs now, or with windows when rows are asked for.
    """
    height, width = image.shape[-2:]
    image = image.to(model.device, non_blocking=True)
    short = config.short_side(height, width, model.config.preprocessing.size)
    network = resized_shape(height, width, short)
    sizes = PictureSizes((height, width), network, model.output_size(*network))
    size = config.grid.size(sizes)
    found: list[Maps] = []
    for view in views(image, short, InferenceConfig(0, config.scales, config.flip)):
        maps = embedding_maps(model, view.image, config.window, config.stride)
        maps = MirroredMaps(maps) if view.mirrored else maps
        found.append(maps if maps.size == size else ResizedMaps(maps, size, model.cells))
    bottom, right = (-length % model.trunk.multiple for length in network)
    padded = (network[0] + bottom, network[1] + right)
    return EmbeddedPicture(
        found[0] if len(found) == 1 else AverageMaps(found),
        config,
        sizes,
        PaddedSizes(padded, model.output_size(*padded)) if config.plain else None,
        pca,
        image,
    )


def embedding_maps(
    model: LSeg, image: Tensor, window: int | None, stride: float, batch: int = 4
) -> Maps:
    """Embeddings of what the network sees, (3, H, W) uint8, at its own output size.

    Args:
        model: In eval mode.
        image: On the model's device.
        window: Side of the sliding windows in pixels, brought to a multiple of the patch grid; None
            shows the picture whole.
        stride: Step as a share of `window`.
        batch: How many windows the network sees at once.
    """
    height, width = image.shape[-2:]
    multiple = model.trunk.multiple
    if window is None or (height <= window and width <= window):
        return _encode(model, image[None])[0]
    window = max(32, multiple, window // multiple * multiple)
    tops = window_starts(height, window, stride, multiple)
    lefts = window_starts(width, window, stride, multiple)
    rows, columns = ([model.output_size(at, at)[0] for at in starts] for starts in (tops, lefts))

    def show(index: int) -> list[Tile]:
        band = image[:, tops[index] : tops[index] + window]
        parts = [band[..., left : left + window] for left in lefts]
        maps: list[Maps] = []
        for _, alike in groupby(parts, key=lambda part: part.shape[-1]):
            same = list(alike)
            for first in range(0, len(same), batch):
                maps += _encode(model, torch.stack(same[first : first + batch]))
        return [Tile(rows[index], column, part) for column, part in zip(columns, maps, strict=True)]

    seen = model.output_size(min(window, height), width)[0]
    size = model.output_size(height, width)
    windows = WindowRows(rows, seen, show)
    return Windows(windows, size, model.config.embed_dim, image.device)


def _encode(model: LSeg, images: Tensor) -> list[Maps]:
    """What the network makes of (B, 3, H, W) uint8, a map each."""
    pixels, _ = pad_to_multiple(_wide(model.normalize(images)), model.trunk.multiple)
    embeddings = model.embed(pixels)
    size = model.output_size(images.shape[-2], images.shape[-1])
    return [
        EmbeddingMaps(replace(embeddings, features=features[None]), size)
        for features in embeddings.features
    ]


def _wide(pixels: Tensor) -> Tensor:
    """Pixels with edges repeated up to 32, below which no network works: the end of a picture."""
    bottom, right = (max(0, 32 - length) for length in pixels.shape[-2:])
    return F.pad(pixels, (0, right, 0, bottom), mode="replicate") if bottom or right else pixels
