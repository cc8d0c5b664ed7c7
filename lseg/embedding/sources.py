"""What a file of embeddings can be asked, whatever it holds: dense arrays, or codes."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.embedding.codes import CodeBasis, PictureCodes, with_margin
from lseg.embedding.files import read_array
from lseg.embedding.region_files import LAYOUTS, RegionCodes
from lseg.embedding.sidecar import CodesTold, Sidecar
from lseg.embedding.zarr_store import ZarrRows
from lseg.errors import DataError
from lseg.inference.embed_config import Size
from lseg.inference.embeddings import EmbeddingMaps
from lseg.inference.layout import as_chw
from lseg.inference.pca import PCA
from lseg.models.embeddings import AffineMap, PixelEmbeddings
from lseg.models.maps import DenseMaps, Maps, ResizedMaps, UndividedMaps
from lseg.models.regularization import halo
from lseg.models.similarity import coarse_logits, compare

CHUNK_BYTES = 2**26
"""About how much of the stored array, as float32, is in memory at a time."""


class Source(Protocol):
    """Stored embeddings on a grid, that of the network's output before padding was cut off."""

    @property
    def size(self) -> Size:
        """Height and width of the part of the grid that shows the picture."""
        ...

    def logits(self, vectors: Tensor, block: nn.Module) -> Maps:
        """Label vectors (N, C), times the logit scale, against unit embeddings: (1, N, h, w)."""
        ...

    def scores(self, vectors: Tensor) -> Maps:
        """As `logits`, of what is no label: without a block."""
        ...

    def embeddings(self) -> Maps:
        """The embeddings themselves, (1, C, h, w), of the norms that are stored."""
        ...


class CodeSource:
    """Codes; see `lseg.embedding.codes`."""

    def __init__(self, codes: PictureCodes, basis: CodeBasis, told: CodesTold) -> None:
        """Takes what is stored, and what the sidecar tells of it."""
        values = with_margin(codes.restored()[None], told.grid)
        values = values.contiguous(memory_format=torch.channels_last)  # as the decoder's are
        self._embeddings = PixelEmbeddings(values, basis.map)
        self._size = (2 * told.grid[0], 2 * told.grid[1])
        self.size = told.output

    @classmethod
    def read(cls, path: Path, sidecar: Sidecar, told: CodesTold) -> "CodeSource":
        """Reads a file and its basis.

        Raises:
            DataError: If one is missing or damaged, or they do not belong together.
        """
        codes = PictureCodes.load(path)
        basis = CodeBasis.load(path.parent / told.basis, told.sha256)
        shape = (len(codes.values), sidecar.embed_dim)
        if shape[::-1] != basis.map.weight.shape:
            raise DataError(f"{path} has {shape[0]} channels, its basis {told.basis} others")
        return cls(codes, basis, told)

    def logits(self, vectors: Tensor, block: nn.Module) -> Maps:
        """See `Source`; as the network itself computes them."""
        return compare(self._embeddings, vectors, 1.0, block)

    def scores(self, vectors: Tensor) -> Maps:
        """See `Source`; as the network computes those of examples."""
        return ResizedMaps(DenseMaps(coarse_logits(self._embeddings, vectors, 1.0)), self._size)

    def embeddings(self) -> Maps:
        """See `Source`."""
        return EmbeddingMaps(self._embeddings, self._size)


class StoredRows(Protocol):
    """A stored array of which rows can be had."""

    @property
    def shape(self) -> tuple[int, ...]:
        """C, h and w."""
        ...

    def rows(self, start: int, stop: int) -> np.ndarray:
        """(C, stop - start, w) float32."""
        ...


class ArrayRows:
    """Those of an array (C, h, w) in memory, or mapped into it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape = array, array.shape

    def rows(self, start: int, stop: int) -> np.ndarray:
        """See `StoredRows`."""
        return self.array[:, start:stop].astype(np.float32)


class DenseSource:
    """A dense array, perhaps reduced to principal components."""

    def __init__(self, array: StoredRows, pca: PCA | None, normalized: bool, grid: Size) -> None:
        """Takes what a file holds.

        Args:
            array: (C, h, w), or (K, h, w) of a PCA.
            pca: How the array was reduced.
            normalized: Whether embeddings were divided by their norms before that.
            grid: Height and width of the maps; beyond those of the array, its edges are repeated.
        """
        self.array, self.pca, self.normalized, self.grid = array, pca, normalized, grid
        self.size = (array.shape[1], array.shape[2])

    @classmethod
    def read(cls, path: Path, sidecar: Sidecar) -> "DenseSource":
        """Opens a file.

        Raises:
            DataError: If it holds no embeddings, or others than the sidecar says.
        """
        width = sidecar.embed_dim
        pca = None if sidecar.pca is None else PCA.load(path.parent / sidecar.pca, width)
        array: StoredRows = (
            ZarrRows(path, sidecar.layout)
            if path.is_dir()
            else ArrayRows(as_chw(read_array(path), sidecar.layout))
        )
        channels = width if pca is None else len(pca.components)
        if array.shape[0] != channels:
            raise DataError(f"{path} has {array.shape[0]} channels, its JSON says {channels}")
        size = (array.shape[1], array.shape[2])
        grid = size if sidecar.padding is None else sidecar.padding.output
        return cls(array, pca, sidecar.normalized, grid)

    def logits(self, vectors: Tensor, block: nn.Module) -> Maps:
        """See `Source`."""
        plain = AffineMap(vectors, torch.zeros(len(vectors)))
        kernels = plain if self.pca is None else self.pca.kernels(vectors)

        def of(part: Tensor) -> Tensor:
            dots = F.conv2d(part, kernels.weight[:, :, None, None], kernels.bias)
            if self.pca is None:
                return dots / torch.linalg.vector_norm(part, dim=1, keepdim=True).clamp_min(1e-12)
            return dots if self.normalized else dots / self.pca.norms(part)

        return ArrayMaps(self.array, of, len(vectors), self.grid, block)

    def scores(self, vectors: Tensor) -> Maps:
        """See `Source`."""
        return self.logits(vectors, nn.Identity())

    def embeddings(self) -> Maps:
        """See `Source`."""
        pca = self.pca
        width = self.array.shape[0] if pca is None else pca.components.shape[1]
        whole = (lambda part: part) if pca is None else pca.restore
        return ArrayMaps(self.array, whole, width, self.grid, nn.Identity())


class RegionSource:
    """Regions of the picture with a vector each; the grid is the picture's own."""

    def __init__(self, codes: RegionCodes) -> None:
        self._index = torch.from_numpy(codes.pixels).long()  # -1, no region, is the last row
        self._vectors = F.pad(torch.from_numpy(codes.vectors), (0, 0, 0, 1))
        self.size = codes.pixels.shape

    @classmethod
    def read(cls, path: Path, sidecar: Sidecar, layout: str) -> "RegionSource":
        """Reads the files of a layout of `lseg.embedding.region_files`.

        Raises:
            DataError: If they are missing or damaged.
        """
        try:
            codes = LAYOUTS[layout].read(path)
            if codes.vectors.shape[1] != sidecar.embed_dim or codes.pixels.shape != sidecar.image:
                raise ValueError("it is of another picture")
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise DataError(f"{path} cannot be read as regions: {error}") from error
        return cls(codes)

    def logits(self, vectors: Tensor, block: nn.Module) -> Maps:
        """See `Source`; a block, which smooths logits at half resolution, has nothing to do."""
        del block
        return IndexedMaps(self._vectors @ vectors.T, self._index)

    def scores(self, vectors: Tensor) -> Maps:
        """See `Source`."""
        return IndexedMaps(self._vectors @ vectors.T, self._index)

    def embeddings(self) -> Maps:
        """See `Source`."""
        return IndexedMaps(self._vectors, self._index)


class IndexedMaps(UndividedMaps):
    """Rows (R, N) of a table, one for each pixel of an index map (H, W)."""

    def __init__(self, table: Tensor, index: Tensor) -> None:
        self.table, self.index = table, index
        self.batch, self.labels, self.device = 1, table.shape[1], table.device
        self.size = (index.shape[0], index.shape[1])

    def rows(self, start: int, stop: int) -> Tensor:
        """(1, N, stop - start, W)."""
        return self.table[self.index[start:stop]].permute(2, 0, 1)[None]


class ArrayMaps(UndividedMaps):
    """What a function makes of an array on the disk, row by row; see `lseg.models.maps.Maps`."""

    def __init__(
        self,
        array: StoredRows,
        of: Callable[[Tensor], Tensor],
        channels: int,
        size: Size,
        block: nn.Module,
    ) -> None:
        """Nothing is read yet.

        Args:
            array: (C, h, w).
            of: Makes (1, N, r, w) of rows of it, (1, C, r, w) float32.
            channels: N.
            size: Height and width of the maps; beyond those of the array, its edges are repeated.
            block: Spatial block, or the identity.
        """
        self.array, self.of, self.block, self.size = array, of, block, size
        self.batch, self.labels, self.device = 1, channels, torch.device("cpu")

    def rows(self, start: int, stop: int) -> Tensor:
        """(1, N, stop - start, W)."""
        around = halo(self.block)
        height = self.array.shape[1]
        top, bottom = max(0, min(start, height) - around), min(self.size[0], stop + around)
        top = min(top, height - 1)
        step = max(1, CHUNK_BYTES // (4 * self.array.shape[0] * self.array.shape[2]))
        last = min(bottom, height)
        parts = [self._part(row, min(row + step, last)) for row in range(top, last, step)]
        beyond = (0, self.size[1] - self.array.shape[2], 0, bottom - last)
        found = F.pad(torch.cat(parts, dim=2), beyond, mode="replicate")
        return self.block(found)[:, :, start - top : stop - top]

    def _part(self, start: int, stop: int) -> Tensor:
        return self.of(torch.from_numpy(self.array.rows(start, stop))[None])
