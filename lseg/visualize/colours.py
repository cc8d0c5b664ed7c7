"""Colours for label maps and depths: palettes and overlays."""

import colorsys
from collections.abc import Sequence
from functools import cache

import numpy as np

GREY = (128, 128, 128)
BACKGROUND_NAMES = {"other", "others", "background"}


@cache
def palette(count: int) -> np.ndarray:
    """Colours that stay the same however many there are, (count, 3) uint8, neighbours far apart.

    Hues step by the golden ratio; lightness and saturation alternate with another period.
    """
    colours = []
    for index in range(count):
        hue = (0.02 + index * 0.61803398875) % 1.0
        lightness = (0.5, 0.65, 0.38)[index // 6 % 3]
        saturation = (0.85, 0.6)[index // 18 % 2]
        colours.append(colorsys.hls_to_rgb(hue, lightness, saturation))
    table = np.round(255 * np.array(colours).reshape(count, 3)).astype(np.uint8)
    table.setflags(write=False)  # it is cached
    return table


def label_colours(labels: Sequence[str]) -> np.ndarray:
    """A colour a label, (N, 3) uint8; grey for "other" and "background"."""
    colours = palette(len(labels)).copy()
    for index, label in enumerate(labels):
        if label.split("|")[0].strip().lower() in BACKGROUND_NAMES:
            colours[index] = GREY
    return colours


def colour_map(label_map: np.ndarray, colours: np.ndarray, missing: int = 0) -> np.ndarray:
    """A label map (H, W) as colours (H, W, 3) uint8; grey level `missing` where no colour is."""
    table = np.full((256 if label_map.dtype == np.uint8 else 65536, 3), missing, np.uint8)
    table[: len(colours)] = colours
    return table[label_map]


def overlay(
    image: np.ndarray, label_map: np.ndarray, colours: np.ndarray, opacity: float = 0.55
) -> np.ndarray:
    """The picture under its label map.

    Args:
        image: (H, W, 3) uint8.
        label_map: (H, W) indices into `colours`.
        colours: (N, 3) uint8.
        opacity: Of the colours, in [0, 1].

    Returns:
        (H, W, 3) uint8.
    """
    mixed = np.empty_like(image)
    for start in range(0, len(image), 64):  # the floats of a whole picture take much memory
        rows = slice(start, start + 64)
        shown = opacity * colour_map(label_map[rows], colours)
        mixed[rows] = np.round((1 - opacity) * image[rows] + shown)
    return mixed


def depth_colours(share: np.ndarray) -> np.ndarray:
    """Values (H, W) in [0, 1] as colours (H, W, 3) uint8: dark blue over red to light yellow."""
    stops = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)])
    positions = np.linspace(0, 1, len(stops))
    channels = [np.interp(share, positions, stops[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def normal_colours(normals: np.ndarray) -> np.ndarray:
    """Unit vectors (3, H, W) as colours (H, W, 3) uint8: x, y and z from -1 to 1 as R, G and B."""
    return np.round(127.5 * (normals.transpose(1, 2, 0).clip(-1, 1) + 1)).astype(np.uint8)
