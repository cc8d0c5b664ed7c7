"""Regions of a picture, and one embedding for each: their mean."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

Strip = tuple[int, Tensor]
"""First row and rows (C, r, W) of the embeddings of a picture."""

NO_REGION = -1
"""In an index map (H, W) int32: a pixel that belongs to no region."""


def region_means(
    strips: Iterable[Strip], maps: Sequence[np.ndarray], channels: int
) -> list[np.ndarray]:
    """The mean embeddings (R, C), float32, of the regions of several index maps.

    Args:
        strips: All rows of the picture, from top to bottom.
        maps: Index maps (H, W) of it: 0 to R - 1, or below 0 where there is no region.
        channels: C.

    Returns:
        Of each map; 0 where a number has no pixel.
    """
    indices = [torch.from_numpy(np.ascontiguousarray(each)).long() for each in maps]
    sums = [torch.zeros(int(index.max()) + 1, channels) for index in indices]
    for start, rows in strips:
        pixels = rows.flatten(1).T.cpu()
        for total, index in zip(sums, indices, strict=True):
            where = index[start : start + rows.shape[1]].flatten()
            inside = where >= 0
            total.index_add_(0, where[inside], pixels[inside])
    counts = (torch.bincount(index[index >= 0], minlength=1) for index in indices)
    return [
        (total / count[: len(total), None].clamp_min(1)).numpy()
        for total, count in zip(sums, counts, strict=True)
    ]


def pieces(label_map: np.ndarray, least: int = 1) -> np.ndarray:
    """The connected pieces of a label map (H, W), numbered from the top: (H, W) int32.

    Pixels are connected by their sides.

    Args:
        label_map: Any integers.
        least: Pieces of fewer pixels are no regions.
    """
    height, width = label_map.shape
    first = np.ones((height, width), bool)  # where a run of equal labels in a row begins
    first[:, 1:] = label_map[:, 1:] != label_map[:, :-1]
    runs = (np.cumsum(first.ravel()) - 1).reshape(height, width)
    alike = label_map[1:] == label_map[:-1]
    touching = np.unique(np.stack([runs[:-1][alike], runs[1:][alike]]), axis=1)
    piece = _components(int(runs.max()) + 1, *touching)[runs]
    kept, index, counts = np.unique(piece, return_inverse=True, return_counts=True)
    large = counts >= least
    numbers = np.where(large, np.cumsum(large) - 1, NO_REGION)
    assert len(kept) == len(numbers)
    return numbers[index.reshape(height, width)].astype(np.int32)


def _components(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The least member of the component of each of `count` nodes, by edges from one to other."""
    root = np.arange(count)
    while True:
        ends = root[one], root[other]
        if np.array_equal(*ends):
            return root
        least = np.minimum(*ends)
        for end in ends:
            np.minimum.at(root, end, least)
        while not np.array_equal(root, jumped := root[root]):
            root = jumped
