"""Regions and a vector for each, as those who lift language into Gaussians read them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image
from torch import Tensor

from lseg.data.base.images import load_mask
from lseg.embedding.picture_files import Written, all_present
from lseg.embedding.regions import NO_REGION, pieces, region_means
from lseg.embedding.superpixels import superpixels
from lseg.errors import DataError
from lseg.files import atomic_file
from lseg.inference.embeddings import EmbeddedPicture

LEAST_PIECE = 32
"""Pieces of a label map of fewer pixels are no regions."""


class RegionMaker(Protocol):
    """Chooses the regions of pictures; picklable."""

    @property
    def settings(self) -> dict[str, Any]:
        """What decides over them; JSON can hold it."""
        ...

    def levels(self, name: str, image: Tensor, levels: Sequence[float]) -> list[np.ndarray]:
        """Index maps (H, W) int32, finer and coarser ones.

        Args:
            name: Of the picture's results, with folders.
            image: (3, H, W) uint8.
            levels: How many regions each is to have, as a factor; ignored where regions are given.
        """
        ...


@dataclass(frozen=True)
class Superpixels:
    """About `count` superpixels at level 1."""

    count: int

    @property
    def settings(self) -> dict[str, Any]:
        """See `RegionMaker`."""
        return {"superpixels": self.count}

    def levels(self, name: str, image: Tensor, levels: Sequence[float]) -> list[np.ndarray]:
        """See `RegionMaker`."""
        del name
        picture = Image.fromarray(image.permute(1, 2, 0).cpu().numpy())
        made = {level: superpixels(picture, max(1, round(self.count * level))) for level in levels}
        return [made[level] for level in levels]


@dataclass(frozen=True)
class LabelMapPieces:
    """The connected pieces of label maps, `<folder>/<name>.png`, as `lseg predict` writes them."""

    folder: Path

    @property
    def settings(self) -> dict[str, Any]:
        """See `RegionMaker`."""
        return {"label_maps": str(self.folder)}

    def levels(self, name: str, image: Tensor, levels: Sequence[float]) -> list[np.ndarray]:
        """See `RegionMaker`; the same at all levels.

        Raises:
            ImageError, DataError: If there is no label map, or it is of another size.
        """
        path = self.folder / f"{name}.png"
        label_map, size = load_mask(path), tuple(image.shape[-2:])
        if label_map.shape != size:
            raise DataError(
                f"{path} is {label_map.shape[0]} x {label_map.shape[1]}, its picture {size[0]} x "
                f"{size[1]} (height x width): make it of this picture"
            )
        return [pieces(label_map.astype(np.int32), LEAST_PIECE)] * len(levels)


class RegionCodes(NamedTuple):
    """Regions of a picture at one level.

    Attributes:
        pixels: (H, W) int32, 0 to R - 1, or `NO_REGION`.
        vectors: (R, C) float32 unit vectors.
    """

    pixels: np.ndarray
    vectors: np.ndarray


class RegionLayout(NamedTuple):
    """How a consumer reads regions.

    Attributes:
        endings: Of the files' names; the first is the one that sidecars name.
        levels: Which levels are made; see `RegionMaker`.
        write: Writes these files, of the type that is given.
        read: What it wrote, of the first level, by the file that sidecars name.
    """

    endings: tuple[str, ...]
    levels: tuple[float, ...]
    write: Callable[[Sequence[Path], Sequence[RegionCodes], str], None]
    read: Callable[[Path], RegionCodes]


@dataclass(frozen=True)
class RegionFiles:
    """Regions in the layout of a consumer; a `lseg.embedding.picture_files.PictureFiles`.

    Attributes:
        layout: Name of one of `LAYOUTS`.
        maker: Chooses the regions.
    """

    layout: str
    maker: RegionMaker

    @property
    def endings(self) -> Sequence[str]:
        """See `PictureFiles`."""
        return LAYOUTS[self.layout].endings

    @property
    def settings(self) -> dict[str, Any]:
        """See `PictureFiles`."""
        return {"regions": {"layout": self.layout, **self.maker.settings}}

    def file(self, name: str) -> str:
        """See `PictureFiles`."""
        return f"{name}{self.endings[0]}"

    def present(self, out: Path, name: str) -> Sequence[str]:
        """See `PictureFiles`."""
        return all_present(out, [f"{name}{ending}" for ending in self.endings])

    def write(self, out: Path, name: str, result: EmbeddedPicture) -> Written:
        """See `PictureFiles`."""
        layout = LAYOUTS[self.layout]
        maps = self.maker.levels(name, result.image, layout.levels)
        means = region_means(result.strips(), maps, result.maps.labels)
        codes = [RegionCodes(*pair) for pair in zip(maps, map(_unit, means), strict=True)]
        names = [f"{name}{ending}" for ending in layout.endings]
        layout.write([out / each for each in names], codes, result.config.dtype)
        vectors = sum(len(each.vectors) for each in codes)
        return Written({"shape": [vectors, result.maps.labels]}, names)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)


def _write_langsplat(paths: Sequence[Path], codes: Sequence[RegionCodes], dtype: str) -> None:
    """Vectors of all levels one behind another, and where in these each level's pixels look."""
    features, segments = paths
    vectors = np.concatenate([each.vectors for each in codes])
    first = np.cumsum([0, *(len(each.vectors) for each in codes)])
    index = np.stack([
        np.where(each.pixels == NO_REGION, NO_REGION, each.pixels + start)
        for each, start in zip(codes, first[:-1], strict=True)
    ])  # fmt: skip
    _save(segments, index.astype(np.min_scalar_type(-len(vectors) - 1)))
    _save(features, vectors.astype(dtype))


def _read_langsplat(path: Path) -> RegionCodes:
    """The default level."""
    index = np.load(path.with_name(f"{path.stem.removesuffix('_f')}_s.npy"))[0].astype(np.int32)
    return RegionCodes(index, np.load(path)[: index.max() + 1].astype(np.float32))


def _write_scenesplat(paths: Sequence[Path], codes: Sequence[RegionCodes], dtype: str) -> None:
    """A vector a row and whether it is valid; pixels without a region look at a last row of 0."""
    features, valid, index_map = paths
    index, vectors = codes[0]
    count = len(vectors)
    if count > np.iinfo(np.uint16).max:
        raise DataError(f"{count} regions do not fit into {index_map}: take fewer")
    rows = np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
    index = np.where(index == NO_REGION, count, index)
    with atomic_file(index_map) as partial:
        Image.fromarray(index.astype(np.uint16)).save(partial)
    _save(valid, (np.arange(count + 1) < count).astype(np.int64))
    _save(features, rows.astype(dtype))


def _read_scenesplat(path: Path) -> RegionCodes:
    index = load_mask(path.with_name("regions.png")).astype(np.int32)
    vectors = np.load(path)[:-1].astype(np.float32)
    return RegionCodes(np.where(index == len(vectors), NO_REGION, index), vectors)


def _save(path: Path, array: np.ndarray) -> None:
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.save(file, array)


LAYOUTS = {
    "langsplat": RegionLayout(
        ("_f.npy", "_s.npy"), (1, 4, 1, 1 / 4), _write_langsplat, _read_langsplat
    ),
    "scenesplat": RegionLayout(
        ("/lang_feat.npy", "/valid_feat_mask.npy", "/regions.png"),
        (1,),
        _write_scenesplat,
        _read_scenesplat,
    ),
}
