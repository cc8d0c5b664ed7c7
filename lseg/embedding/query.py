"""Stored embeddings against labels, without the network that made them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.embedding.files import open_embeddings
from lseg.embedding.sidecar import Sidecar
from lseg.errors import DataError, LabelError
from lseg.inference.embed_config import Size
from lseg.inference.layout import as_chw
from lseg.inference.pca import PCA
from lseg.inference.segmentation import Segmentation
from lseg.models.embeddings import AffineMap
from lseg.models.maps import CroppedMaps, Maps, ResizedMaps, UndividedMaps
from lseg.models.pooled import answered, pooled
from lseg.models.regularization import halo
from lseg.models.taught import TaughtMaps
from lseg.text.question import Question, as_question

CHUNK_BYTES = 2**26
"""About how much of the stored array, as float32, is in memory at a time."""


class StoredLogits(UndividedMaps):
    """Logits of labels on the grid of stored embeddings; see `lseg.models.maps.Maps`."""

    def __init__(
        self,
        array: np.ndarray,
        kernels: AffineMap,
        pca: PCA | None,
        normalized: bool,
        block: nn.Module,
        size: Size,
    ) -> None:
        """Takes what `segment_stored` puts together.

        Args:
            array: (C, h, w), or (K, h, w) of a PCA.
            kernels: Label vectors (N, C) or (N, K), times the logit scale, and biases (N).
            pca: How the array was reduced.
            normalized: Whether embeddings were divided by their norms before that.
            block: Spatial block, or the identity.
            size: Height and width of the maps; beyond those of the array, its edges are repeated.
        """
        self.array, self.kernels, self.pca, self.normalized = array, kernels, pca, normalized
        self.block, self.size = block, size
        self.batch, self.labels, self.device = 1, len(kernels.bias), torch.device("cpu")

    def rows(self, start: int, stop: int) -> Tensor:
        """(1, N, stop - start, W)."""
        around = halo(self.block)
        height = self.array.shape[1]
        top, bottom = max(0, min(start, height) - around), min(self.size[0], stop + around)
        top = min(top, height - 1)
        step = max(1, CHUNK_BYTES // (4 * self.array[:, :1].size))
        last = min(bottom, height)
        parts = [self._logits(row, min(row + step, last)) for row in range(top, last, step)]
        beyond = (0, self.size[1] - self.array.shape[2], 0, bottom - last)
        logits = F.pad(torch.cat(parts, dim=2), beyond, mode="replicate")
        return self.block(logits)[:, :, start - top : stop - top]

    def _logits(self, start: int, stop: int) -> Tensor:
        part = torch.from_numpy(self.array[:, start:stop].astype(np.float32))[None]
        dots = F.conv2d(part, self.kernels.weight[:, :, None, None], self.kernels.bias)
        if self.pca is None:
            return dots / torch.linalg.vector_norm(part, dim=1, keepdim=True).clamp_min(1e-12)
        return dots if self.normalized else dots / self.pca.norms(part)


def segment_stored(
    path: Path,
    sidecar: Sidecar,
    text: Tensor | Question,
    names: list[str],
    picture: Image.Image | None = None,
) -> Segmentation:
    """A stored picture by labels, as `Segmenter` would see it.

    The same up to rounding where the embeddings are one pass of the network on its own grid.
    Elsewhere logits are interpolated from the stored grid.

    Args:
        path: File of embeddings.
        sidecar: What was written beside it.
        text: (N, C) unit vectors, or classes that are asked in other ways.
        names: Labels.
        picture: For the overlay; grey by default.

    Raises:
        DataError: If the file holds no embeddings, or others than the sidecar says.
        LabelError: If the vectors have another width than the embeddings.
    """
    question = as_question(text)
    vectors = question.vectors
    if vectors.shape[-1] != sidecar.embed_dim:
        raise LabelError(
            f"label vectors are {vectors.shape[-1]} wide, the embeddings {sidecar.embed_dim}"
        )
    pca = None if sidecar.pca is None else PCA.load(path.parent / sidecar.pca, sidecar.embed_dim)
    array = as_chw(open_embeddings(path), sidecar.layout)
    channels = sidecar.embed_dim if pca is None else len(pca.components)
    if array.shape[0] != channels:
        raise DataError(f"{path} has {array.shape[0]} channels, its JSON says {channels}")
    padding = sidecar.padding
    grid = array.shape[1:] if padding is None else padding.output  # before padding was cut off

    def logits_of(scaled: Tensor, block: nn.Module) -> Maps:
        plain = AffineMap(scaled, torch.zeros(len(scaled)))
        kernels = plain if pca is None else pca.kernels(scaled)
        return StoredLogits(array, kernels, pca, sidecar.normalized, block, grid)

    logits = pooled(logits_of(sidecar.logit_scale * vectors.cpu(), sidecar.block), question)
    if question.taught is not None:
        scores = logits_of(question.taught.embedding.cpu(), nn.Identity())
        logits = TaughtMaps(logits, scores, question.taught)
    if padding is not None:
        resized = ResizedMaps(logits, padding.input, sidecar.cells)
        logits = CroppedMaps(resized, sidecar.network_input)
    size = sidecar.image[::-1]
    if picture is None or picture.size != size:
        picture = Image.new("RGB", size, (128, 128, 128))
    cells = sidecar.cells and padding is None
    full = answered(ResizedMaps(logits, (size[1], size[0]), cells), question)
    return Segmentation(names, picture, full, question.notes)
