"""Stored embeddings, dense or as codes, asked without the network that made them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lseg.data.base.labels import parse_labels
from lseg.embedding.found import sidecar_of
from lseg.embedding.regions import Strip, region_means
from lseg.embedding.sidecar import Sidecar, label_encoder
from lseg.embedding.sources import CodeSource, DenseSource, RegionSource, Source
from lseg.errors import DataError, ImageError, LabelError
from lseg.inference.embed_config import Size
from lseg.inference.embeddings import STRIP_BYTES, UnitMaps
from lseg.inference.segmentation import Segmentation
from lseg.models.maps import CroppedMaps, Maps, ResizedMaps
from lseg.models.pooled import answered, pooled
from lseg.models.strips import row_strips
from lseg.models.taught import TaughtMaps
from lseg.paths import user_path
from lseg.text.asking import AS_TRAINED
from lseg.text.encoder import LabelEncoder
from lseg.text.question import Question, as_question


def open_embeddings(path: str | os.PathLike[str]) -> "StoredEmbeddings":
    """What `lseg embed` wrote of a picture: a file of embeddings or of codes, or its JSON.

    Raises:
        DataError: If it is missing, damaged, or was not written by `lseg embed`.
    """
    return StoredEmbeddings.open(user_path(path))


@dataclass(frozen=True)
class StoredEmbeddings:
    """The embeddings of one picture, on the disk.

    Points and regions are those of the picture's own pixels. A pixel's embedding is what its
    logits are made of: `logit_scale` times its product with a unit label vector is the logit that
    `segment` gives there, where the model has no spatial block. (It is an interpolated unit vector,
    a little shorter than 1.)

    Attributes:
        sidecar: How they were made.
        source: What is stored.
    """

    sidecar: Sidecar
    source: Source

    @classmethod
    def open(cls, path: Path, sidecar: Sidecar | None = None) -> Self:
        """A file, or its JSON, by its sidecar if that has been read.

        Raises:
            DataError: As `open_embeddings`.
        """
        if sidecar is None:
            told = path if path.suffix == ".json" else sidecar_of(_existing(path))
            sidecar = Sidecar.read(told)
            path = path.parent / sidecar.file if path == told else path
        if sidecar.codes is not None:
            return cls(sidecar, CodeSource.read(path, sidecar, sidecar.codes))
        if sidecar.regions is not None:
            return cls(sidecar, RegionSource.read(path, sidecar, sidecar.regions))
        return cls(sidecar, DenseSource.read(path, sidecar))

    @property
    def size(self) -> Size:
        """Height and width of the picture."""
        return self.sidecar.image

    @property
    def embed_dim(self) -> int:
        """Width C of embeddings and label vectors."""
        return self.sidecar.embed_dim

    @property
    def logit_scale(self) -> float:
        """Factor between products with label vectors and logits."""
        return self.sidecar.logit_scale

    @cached_property
    def text(self) -> LabelEncoder:
        """The text side of the model that made them."""
        return label_encoder(self.sidecar.text, self.sidecar.tower, self.embed_dim)

    def segment(
        self,
        labels: Sequence[str] | str | Tensor | Question,
        names: Sequence[str] | None = None,
        picture: Image.Image | None = None,
    ) -> Segmentation:
        """The picture by these labels, as `Segmenter` would see it.

        The same where the file holds exact codes; up to rounding where it holds one pass of the
        network on its own grid. Elsewhere logits are interpolated from the stored grid.

        Args:
            labels: Names (`a|b` for synonyms), a comma-separated string, vectors (N, C), or a
                question that was made of labels before.
            names: What to call the labels where they are vectors.
            picture: For the overlay; grey by default.

        Raises:
            LabelError: If there is no label, the text side cannot encode one, or vectors have
                another width than the embeddings.
        """
        if isinstance(labels, Tensor | Question):
            question = as_question(labels)
        else:
            texts = parse_labels(labels)
            question = AS_TRAINED.question(self.text, texts)
            question.warn_of_notes()
        if question.vectors.shape[-1] != self.embed_dim:
            raise LabelError(
                f"label vectors are {question.vectors.shape[-1]} wide, the embeddings "
                f"{self.embed_dim}"
            )
        height, width = self.size
        if picture is None or picture.size != (width, height):
            picture = Image.new("RGB", (width, height), (128, 128, 128))
        full = answered(self._over_picture(self._logits(question)), question)
        return Segmentation(list(names or question.names), picture, full, question.notes)

    def embed(self, size: Size | None = None, dtype: str = "float32") -> np.ndarray:
        """All embeddings, (C, h, w) unit vectors, on the network's own grid or at another size."""
        maps: Maps = CroppedMaps(self.source.embeddings(), self.source.size)
        maps = UnitMaps(maps if size is None else ResizedMaps(maps, size, self.sidecar.cells))
        found = np.empty((self.embed_dim, *maps.size), dtype)
        for start, stop in row_strips(maps, STRIP_BYTES):
            found[:, start:stop] = maps.rows(start, stop)[0].numpy()
        return found

    def embed_at(self, points: Sequence[tuple[int, int]] | np.ndarray) -> np.ndarray:
        """The embeddings (P, C), float32, of P pixels (column, row).

        Raises:
            ImageError: If one does not lie in the picture.
        """
        places = np.asarray(points).reshape(-1, 2)
        height, width = self.size
        inside = (places >= 0).all(1) & (places < (width, height)).all(1)
        if not inside.all():
            raise ImageError(
                f"pixel {tuple(places[~inside][0].tolist())} is none of a picture of {width} x "
                f"{height}: give columns and rows from 0 up"
            )
        columns, rows = places.T
        found, pixels = np.empty((len(places), self.embed_dim), np.float32), self._pixels
        for row in np.unique(rows).tolist():
            here = rows == row
            values = pixels.rows(row, row + 1)[0, :, 0].numpy()
            found[here] = values[:, columns[here]].T
        return found

    def embed_regions(self, regions: np.ndarray) -> np.ndarray:
        """The mean embeddings (R, C), float32, of regions 0 to R - 1 of an index map (H, W).

        Pixels below 0 belong to none. The mean of a region that has no pixel is 0.

        Raises:
            ImageError: If the map is of another size than the picture.
        """
        if regions.shape != self.size:
            raise ImageError(
                f"an index map of {regions.shape} for a picture of {self.size}: give one of its "
                "height and width"
            )
        (means,) = region_means(self._strips(), [regions], self.embed_dim)
        return means

    def _strips(self) -> Iterator[Strip]:
        """The embeddings of all pixels of the picture."""
        maps = self._pixels
        for start, stop in row_strips(maps, STRIP_BYTES):
            yield start, maps.rows(start, stop)[0]

    @property
    def _pixels(self) -> Maps:
        """The embeddings of pixels of the picture."""
        return self._over_picture(UnitMaps(self.source.embeddings()))

    def _logits(self, question: Question) -> Maps:
        """Logits on the stored grid."""
        vectors = F.normalize(question.vectors.cpu(), dim=-1)
        scaled = self.logit_scale * vectors
        logits = pooled(self.source.logits(scaled, self.sidecar.block), question)
        if question.taught is None:
            return logits
        scores = self.source.scores(question.taught.embedding.cpu())
        return TaughtMaps(logits, scores, question.taught)

    def _over_picture(self, maps: Maps) -> Maps:
        """Maps on the stored grid, at the picture's size."""
        padding, cells = self.sidecar.padding, self.sidecar.cells
        if padding is None:
            return ResizedMaps(maps, self.size, cells)
        whole = ResizedMaps(maps, padding.input, cells)
        return ResizedMaps(CroppedMaps(whole, self.sidecar.network_input), self.size)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"there is no file {path}")
    return path
