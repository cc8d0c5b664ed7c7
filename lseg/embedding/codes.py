"""Pixel embeddings as what they are made of: an eighth of the numbers, and nothing is lost.

The dense embeddings of a picture, C numbers for every other pixel either way, are a doubled affine
map of the decoder's features, F numbers for every fourth pixel (see `lseg.models.embeddings`). So
the features are stored, and the map once for a run. With F = 256 and C = 512 this is an eighth of
the numbers. What the network makes of labels is made of them by the very same arithmetic: in
float32 no logit differs. (A QR decomposition of the map gives F + 1 numbers that do no better in
float32, and worse in float16 and int8.)
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Self, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from lseg.errors import ConfigError, DataError
from lseg.files import atomic_file, read_safetensors
from lseg.inference.embed_config import PaddedSizes, Size
from lseg.models.embeddings import AffineMap, PixelEmbeddings
from lseg.models.upsample import row_span

CodeKind = Literal["exact", "float16", "int8"]
CODE_KINDS: tuple[CodeKind, ...] = get_args(CodeKind)

BASIS = "basis.safetensors"
"""The affine map of a run's codes, in the folder of its results."""

_STEPS = 127  # of int8, on either side of 0


@dataclass(frozen=True)
class CodeBasis:
    """What turns codes z of K channels into embeddings e = weight z + bias of C channels.

    Attributes:
        map: weight (C, K) and bias (C).
    """

    map: AffineMap

    @classmethod
    def of(cls, projection: AffineMap) -> Self:
        """Of the map from a decoder's F features to C channels; K is the smaller of both."""
        if _features_are_fewer(projection):
            return cls(AffineMap(*(part.detach().float().cpu() for part in projection)))
        channels = len(projection.weight)
        return cls(AffineMap(torch.eye(channels), torch.zeros(channels)))

    def settle(self, path: Path) -> None:
        """Has the file at `path` hold it, whole or not at all."""
        tensors = {name: part.contiguous() for name, part in self.map._asdict().items()}
        content = save(tensors)
        if not path.is_file() or path.read_bytes() != content:
            with atomic_file(path) as partial:
                partial.write_bytes(content)

    @classmethod
    def load(cls, path: Path, sha256: str) -> Self:
        """Reads what `settle` wrote.

        Raises:
            DataError: If the file is missing, no such basis, or not the one with this hash.
        """
        try:
            tensors, _ = read_safetensors(path)
            found = cls(AffineMap(tensors["weight"], tensors["bias"]))
            same = hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        except FileNotFoundError:
            raise DataError(
                f"there is no {path}: codes are read with the {BASIS} that `lseg embed --codes` "
                "writes into the folder of its results, so move both together"
            ) from None
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise DataError(f"{path} is no basis of codes ({error})") from error
        if not same:
            raise DataError(
                f"{path} is the basis of other codes: `lseg embed` has since put another model's "
                "into this folder, so make these again, or give each model a folder"
            )
        return found


def codes_of(embeddings: PixelEmbeddings) -> Tensor:
    """The codes of pictures, (B, K, h, w): the decoder's features.

    Where those have more channels than the embeddings: these, before they are doubled.
    """
    if _features_are_fewer(embeddings.projection):
        return embeddings.features
    return embeddings.projection.of(embeddings.features)


def _features_are_fewer(projection: AffineMap) -> bool:
    channels, features = projection.weight.shape
    return features <= channels


class PictureCodes(NamedTuple):
    """The codes of a picture as they are stored: offset + scale * `values`, where there are these.

    Attributes:
        values: (K, h, w) float32, float16 or int8.
        offset: (K), of float16 and int8.
        scale: (K), of int8.
    """

    values: Tensor
    offset: Tensor | None = None
    scale: Tensor | None = None

    @classmethod
    def of(cls, codes: Tensor, kind: CodeKind) -> Self:
        """Codes (K, h, w), rounded as `kind` says.

        What is rounded is how far a code is from the middle between the least and the greatest
        value of its channel: embeddings may be small differences of large codes. int8 takes 255
        equal steps between the two.

        Raises:
            ConfigError: If one is too large for float16.
        """
        codes = codes.float().cpu().contiguous()
        if kind == "exact":
            return cls(codes)
        least, greatest = codes.amin((1, 2)), codes.amax((1, 2))
        offset, half = (least + greatest) / 2, (greatest - least) / 2
        values = codes - offset[:, None, None]
        if kind == "float16":
            peak, limit = half.max().item(), torch.finfo(torch.float16).max
            if peak > limit:
                raise ConfigError(
                    f"a code is {peak:.6g} from its channel's middle, and float16 ends at "
                    f"{limit:.0f}: ask for --codes exact or int8"
                )
            return cls(values.half(), offset)
        scale = (half / _STEPS).clamp_min(torch.finfo(torch.float32).tiny)
        return cls((values / scale[:, None, None]).round().to(torch.int8), offset, scale)

    def restored(self) -> Tensor:
        """The codes (K, h, w), float32."""
        values = self.values.float()
        if self.scale is not None:
            values = values * self.scale[:, None, None]
        return values if self.offset is None else values + self.offset[:, None, None]

    def save(self, path: Path) -> None:
        """Writes a `.safetensors` file, whole or not at all."""
        tensors = {name: part for name, part in self._asdict().items() if part is not None}
        with atomic_file(path) as partial:
            partial.write_bytes(save(tensors))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            DataError: If the file is missing, or holds no codes.
        """
        try:
            tensors, _ = read_safetensors(path)
            found = cls(**tensors)
        except FileNotFoundError:
            raise DataError(f"there is no file {path}") from None
        except (SafetensorError, TypeError, ValueError, OSError) as error:
            raise DataError(f"{path} cannot be read as codes: {error}") from error
        if found.values.ndim != 3:
            raise DataError(f"{path} holds codes {tuple(found.values.shape)}: expected (K, h, w)")
        return found


def visible(size: Size, padded: PaddedSizes, coarse: Size, around: int) -> Size:
    """How many rows and columns of the codes the visible pixels depend on.

    Args:
        size: Height and width of the network's input without padding.
        padded: Those on the patch grid.
        coarse: Those of the codes.
        around: How many rows around a pixel the model's spatial block looks at.
    """
    rows, columns = (
        _needed(*lengths, around)
        for lengths in zip(size, padded.input, padded.output, coarse, strict=True)
    )
    return rows, columns


def _needed(length: int, full: int, half: int, quarter: int, around: int) -> int:
    """Along one axis; one more than that, for the interpolation rounds where it looks."""
    last = min(half, row_span(0, length, half, (full, full)).last + around)
    return min(quarter, row_span(0, last, quarter, (half, half)).last + 1)


def with_margin(codes: Tensor, size: Size) -> Tensor:
    """Codes (1, K, h, w) at the size that they had before `visible` ones were taken."""
    right, bottom = size[1] - codes.shape[3], size[0] - codes.shape[2]
    if right == bottom == 0:
        return codes
    return F.pad(codes, (0, right, 0, bottom), mode="replicate")
