"""Fewer channels: the principal components of pixel embeddings, and label vectors to match."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from lseg.errors import ConfigError
from lseg.files import atomic_file, read_safetensors
from lseg.models.embeddings import AffineMap
from lseg.parsing import parse_json

KIND = "lseg-pca"


@dataclass(frozen=True)
class PCA:
    """An embedding e of C channels as K numbers z = components (e - mean).

    A dot product with a label vector t is about <components t, z> + <mean, t>; see `kernels`.

    Attributes:
        components: (K, C) orthonormal rows, the greatest variance first.
        mean: (C).
        variance: (K) variance along each component.
        total: Variance of all C channels.
    """

    components: Tensor
    mean: Tensor
    variance: Tensor
    total: float

    @property
    def explained(self) -> float:
        """Share of the variance that is kept, in [0, 1]."""
        return float(self.variance.sum()) / self.total if self.total else 1.0

    def reduce(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) to (B, K, h, w)."""
        components, mean = (values.to(maps.device) for values in (self.components, self.mean))
        return F.conv2d(maps, components[:, :, None, None], -(components @ mean))

    def restore(self, maps: Tensor) -> Tensor:
        """(B, K, h, w) to the embeddings (B, C, h, w) that they stand for."""
        return F.conv2d(maps, self.components.T[:, :, None, None], self.mean)

    def kernels(self, text: Tensor) -> AffineMap:
        """Label vectors (N, C) to weights (N, K) and biases (N) of dot products with z."""
        return AffineMap(text @ self.components.T, text @ self.mean)

    def norms(self, maps: Tensor) -> Tensor:
        """Norms (B, 1, h, w) of the embeddings that reduced maps (B, K, h, w) stand for."""
        shift = (self.components @ self.mean)[:, None, None]
        squares = (maps.square() + 2 * shift * maps).sum(1, keepdim=True)
        return (squares + self.mean.square().sum()).clamp_min(1e-24).sqrt()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a `.safetensors` file, whole or not at all."""
        tensors = {name: getattr(self, name) for name in ("components", "mean", "variance")}
        metadata = {"kind": KIND, "total": json.dumps(self.total)}
        with atomic_file(path) as partial:
            partial.write_bytes(save(tensors, metadata))

    @classmethod
    def load(cls, path: str | os.PathLike[str], width: int | None = None) -> "PCA":
        """Reads what `save` wrote.

        Raises:
            ConfigError: If the file is missing, no such basis, or not for `width` channels.
        """
        try:
            tensors, metadata = read_safetensors(Path(path))
            components, mean, variance = (
                tensors[name] for name in ("components", "mean", "variance")
            )
            total = float(parse_json(metadata["total"]))
            if components.ndim != 2 or len(components) == 0:
                raise ValueError(f"its components have shape {tuple(components.shape)}")
            count, channels = components.shape
            shapes = tuple(mean.shape), tuple(variance.shape)
            if shapes != ((channels,), (count,)):
                raise ValueError(f"its mean and variance have shapes {shapes}")
            for values in (components, mean, variance):
                if not (values.is_floating_point() and values.isfinite().all()):
                    raise ValueError("it holds other values than finite numbers")
        except FileNotFoundError:
            raise ConfigError(f"there is no PCA basis {path}") from None
        except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
            raise ConfigError(
                f"{path} is no PCA basis: expected what `lseg embed --pca K` saves ({error})"
            ) from error
        if width is not None and channels != width:
            raise ConfigError(f"{path} is a basis of {channels} channels, the model has {width}")
        return cls(components, mean, variance, total)


class Moments:
    """Mean and covariance of embeddings that arrive piece by piece.

    Attributes:
        values: (C + 1, C + 1) float64 sums of products of (embedding, 1), all that is kept.
    """

    def __init__(self, channels: int) -> None:
        self.values = torch.zeros(channels + 1, channels + 1, dtype=torch.float64)

    def add(self, samples: Tensor) -> None:
        """Takes (n, C) into account."""
        extended = F.pad(samples.float(), (0, 1), value=1.0)
        self.values += (extended.T @ extended).cpu().double()

    def basis(self, count: int) -> PCA:
        """The first `count` principal components.

        Raises:
            ConfigError: If there are not so many channels, or there were no embeddings.
        """
        channels = len(self.values) - 1
        if not 1 <= count <= channels:
            raise ConfigError(f"{count} principal components of {channels} channels: give fewer")
        samples = float(self.values[-1, -1])
        if samples == 0:
            raise ConfigError("no embedding to learn principal components from")
        mean = self.values[-1, :-1] / samples
        covariance = self.values[:-1, :-1] / samples - torch.outer(mean, mean)
        variance, vectors = torch.linalg.eigh(covariance)  # ascending
        components = vectors.T.flip(0)[:count]
        largest = components.gather(1, components.abs().argmax(1, keepdim=True))
        components = components * largest.sign()  # else the sign would be arbitrary
        kept = variance.flip(0)[:count].clamp_min(0)
        total = float(variance.clamp_min(0).sum())
        return PCA(components.float().contiguous(), mean.float(), kept.float(), total)
