"""Superpixels: small regions of one colour (Achanta et al., "SLIC Superpixels", TPAMI 2012)."""

import math

import numpy as np
from PIL import Image

COMPACTNESS = 10.0
"""How far a pixel may be from its superpixel's colour, of 255, for a whole step of distance."""

ROUNDS = 10


def superpixels(image: Image.Image, count: int) -> np.ndarray:
    """About `count` superpixels of an RGB picture, as an index map (H, W) int32 without gaps.

    Centres start on a grid; in every round a pixel goes to the nearest, in colour and place, of
    the nine centres that started around it. Colours are YCbCr.

    Args:
        image: RGB.
        count: At least 1.
    """
    width, height = image.size
    step = math.sqrt(width * height / count)
    rows, columns = (max(1, round(length / step)) for length in (height, width))
    y, x = np.mgrid[:height, :width]
    cell_y, cell_x = y * rows // height, x * columns // width
    features = np.concatenate([
        np.stack([y, x], axis=-1) * (COMPACTNESS / step),
        np.asarray(image.convert("YCbCr")),
    ], axis=-1, dtype=np.float32)  # fmt: skip
    index = cell_y * columns + cell_x
    for _ in range(ROUNDS):
        centres = _means(features, index, rows * columns)
        best = np.full((height, width), np.inf, np.float32)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                there_y = np.clip(cell_y + down, 0, rows - 1)
                there = there_y * columns + np.clip(cell_x + right, 0, columns - 1)
                distance = np.square(features - centres[there]).sum(-1)
                nearer = distance < best
                index = np.where(nearer, there, index)
                best = np.where(nearer, distance, best)
    found, gapless = np.unique(index, return_inverse=True)
    assert len(found) <= rows * columns
    return gapless.reshape(height, width).astype(np.int32)


def _means(features: np.ndarray, index: np.ndarray, count: int) -> np.ndarray:
    """The mean features (count, D) of each superpixel; far away from all where it has no pixel."""
    flat = index.ravel()
    pixels = np.bincount(flat, minlength=count)
    sums = [np.bincount(flat, each.ravel(), count) for each in np.moveaxis(features, -1, 0)]
    means = np.stack(sums, axis=-1) / np.maximum(pixels, 1)[:, None]
    means[pixels == 0] = np.inf
    return means.astype(np.float32)
