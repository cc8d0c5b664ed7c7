"""The shapes world: labelled pictures of coloured shapes, drawn on the fly.

Six colours times six shapes give 36 classes ("red circle"). Four disjoint folds of nine can be held
out of training; each colour and each shape stays seen outside a fold, so that a held-out class is
a new combination of known attributes. Every picture is a function of (seed, epoch, index) alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from lseg.errors import ConfigError

# Far apart in hue; white, the one without a hue, stays brighter than any background.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 30, 35),
    "yellow": (240, 215, 35),
    "green": (35, 165, 60),
    "blue": (35, 75, 225),
    "purple": (155, 40, 195),
    "white": (245, 245, 245),
}


def _circle(radius: float) -> np.ndarray:
    """Return a circle of `radius` as 40 vertices, (40, 2)."""
    angles = np.linspace(0.0, 2.0 * math.pi, 40, endpoint=False)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _spikes(points: int, outer: float, inner: float) -> np.ndarray:
    """Return a star with `points` tips, (2 · points, 2)."""
    radii = np.tile([outer, inner], points)[:, None]
    angles = np.arange(2 * points) * math.pi / points
    return radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _cross(reach: float, half: float) -> np.ndarray:
    """Return a plus sign with arms `reach` long and 2 · `half` wide, (12, 2)."""
    arm = np.array([(half, reach), (half, half), (reach, half)])
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    return np.concatenate([arm @ np.linalg.matrix_power(quarter, k) for k in range(4)])


# Outlines about the origin, of comparable area: a second polygon is cut out of the first.
SHAPES: dict[str, tuple[np.ndarray, ...]] = {
    "circle": (_circle(0.85),),
    "square": (0.78 * np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]),),
    "triangle": (1.15 * _circle(1.0)[[0, 13, 27]],),
    "star": (_spikes(5, 1.15, 0.45),),
    "cross": (_cross(1.0, 0.32),),
    "ring": (_circle(0.95), _circle(0.5)),
}

CLASSES: tuple[str, ...] = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
"""The 36 class names, colour by colour."""

NUM_FOLDS = 4
_SUPERSAMPLE = 4
_EXTENT = 1.2  # half the side of an object's patch, in radii: no outline reaches beyond
_RADIUS = (0.09, 0.25)  # of the picture's side


def fold_classes(fold: int) -> list[str]:
    """Return the nine classes that `fold` (0 to 3) holds out, in the order of `CLASSES`.

    In the 6 by 6 table of colours and shapes a diagonal names each colour and each shape once. A
    fold is one diagonal and half of another, so no attribute occurs in it more than twice.

    Raises:
        ConfigError: If there is no such fold.
    """
    if fold not in range(NUM_FOLDS):
        raise ConfigError(f"fold {fold!r} does not exist: folds are 0 to {NUM_FOLDS - 1}")
    # (diagonal held whole, diagonal held by half, whether it is the half of the later colours)
    whole, shared, later = ((0, 1, False), (2, 1, True), (3, 4, False), (5, 4, True))[fold]
    held = []
    for c, colour in enumerate(COLOURS):
        for s, shape in enumerate(SHAPES):
            diagonal = (s - c) % len(SHAPES)
            if diagonal == whole or (diagonal == shared and (c >= len(COLOURS) // 2) == later):
                held.append(f"{colour} {shape}")
    return held


def seen_classes(fold: int) -> list[str]:
    """Return the 27 classes that stay in training when `fold` (0 to 3) is held out."""
    return [name for name in CLASSES if name not in fold_classes(fold)]


def check_classes(classes: Sequence[str]) -> list[str]:
    """Return `classes` as a list if all can be drawn.

    Raises:
        ConfigError: If there is none, one is named twice, or one is not in `CLASSES`.
    """
    if isinstance(classes, str) or not classes:
        raise ConfigError(f"classes must be a list of one or more class names, not {classes!r}")
    unknown = [name for name in classes if name not in CLASSES]
    if unknown:
        raise ConfigError(
            f"unknown classes {unknown}: accepted are '<colour> <shape>' with a colour of "
            f"{', '.join(COLOURS)} and a shape of {', '.join(SHAPES)}"
        )
    if len(set(classes)) != len(classes):
        raise ConfigError(f"classes are named more than once in {list(classes)}")
    return list(classes)


def check_series(length: int, size: int, seed: int) -> None:
    """Check the numbers that describe a series of pictures.

    Args:
        length: Number of pictures.
        size: Side of a picture in pixels.
        seed: What distinguishes the series from others.

    Raises:
        ConfigError: If one is out of range.
    """
    if length < 1 or size < 32 or seed < 0:
        raise ConfigError(
            f"length must be 1 or more, size 32 or more, seed 0 or more, not {length=}, {size=}, "
            f"{seed=}"
        )


class Drawing(NamedTuple):
    """A picture, (3, size, size) uint8 RGB, and its mask, (size, size) uint8.

    In the mask 0 is background and k + 1 is the k-th of the classes that were drawn from.
    """

    image: np.ndarray
    mask: np.ndarray


def draw(
    rng: Generator, size: int, classes: Sequence[str], min_objects: int = 1, max_objects: int = 5
) -> Drawing:
    """Draw a picture of random objects on a random background; later objects hide earlier ones.

    Args:
        rng: Source of every random choice.
        size: Side of the picture in pixels.
        classes: What may be drawn: names of `CLASSES` (not checked here, see `check_classes`).
        min_objects: Least number of objects; 0 allows empty pictures.
        max_objects: Largest number of objects.
    """
    canvas = _background(rng, size)
    mask = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(min_objects, max_objects + 1))):
        kind = int(rng.integers(len(classes)))
        colour, shape = classes[kind].split(" ")
        radius = float(rng.uniform(*_RADIUS)) * size
        alpha = _coverage(rng, shape, radius)
        rows, columns, inside = _place(rng, mask, alpha.shape[0], radius)
        surface = _paint(rng, colour, alpha.shape[0])[:, *inside]
        alpha = alpha[inside]
        behind = canvas[:, rows, columns]
        behind += alpha * (surface - behind)
        mask[rows, columns][alpha >= 0.5] = kind + 1
    # Sensor noise of random strength; uniform, as normal deviates would cost as much as the rest.
    noise = rng.integers(0, 256, canvas.shape, dtype=np.uint8).astype(np.float32)
    noise -= np.float32(127.5)
    noise *= np.float32(rng.uniform(0.0, 12.0) / 127.5)
    canvas += noise
    return Drawing(np.clip(canvas, 0.0, 255.0, out=canvas).astype(np.uint8), mask)


def _muted(rng: Generator) -> np.ndarray:
    """Return a greyish colour, well below white, (3, 1, 1) float32 in 0 to 255."""
    tint = rng.uniform(0.7, 1.0, (3, 1, 1))
    return (rng.uniform(25.0, 165.0) * tint / tint.max()).astype(np.float32)


def _blotches(rng: Generator, size: int, cells: int) -> np.ndarray:
    """Return smooth noise with about `cells` bumps a side, (size, size) float32 in 0 to 1."""
    grid = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8))
    smooth = grid.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(smooth, dtype=np.float32) / np.float32(255.0)


def _waves(rng: Generator, size: int, cycles: float) -> np.ndarray:
    """Return stripes across the picture in a random direction, (size, size) float32 in 0 to 1."""
    angle, phase = rng.uniform(0.0, 2.0 * math.pi, 2)
    step = 2.0 * math.pi * cycles / size
    line = np.arange(size, dtype=np.float32)
    across = np.float32(step * math.cos(angle)) * line + np.float32(phase)
    down = np.float32(step * math.sin(angle)) * line
    # sin(a + b) from one-dimensional sines and cosines: size, not size², transcendental calls
    wave = np.outer(np.cos(down), np.sin(across)) + np.outer(np.sin(down), np.cos(across))
    hardness = np.float32(rng.choice([0.5, 4.0]))
    return np.clip(wave * hardness + np.float32(0.5), 0.0, 1.0)


_MIXTURES: tuple[Callable[[Generator, int], np.ndarray], ...] = (
    lambda rng, size: np.zeros((size, size), np.float32),
    lambda rng, size: _waves(rng, size, rng.uniform(0.2, 0.4)),  # less than a period: a gradient
    lambda rng, size: _blotches(rng, size, int(rng.integers(3, 8))),
    lambda rng, size: _waves(rng, size, rng.uniform(3.0, 12.0)),
    lambda rng, size: _waves(rng, size, rng.uniform(2.0, 8.0)) * _waves(rng, size, 5.0),
    lambda rng, size: _blotches(rng, size, size // int(rng.integers(2, 5))),
)
"""Backgrounds: plain, gradient, clouds, stripes, weave, grain. Each mixes two muted colours."""


def _background(rng: Generator, size: int) -> np.ndarray:
    """Return a background without objects, (3, size, size) float32 in 0 to 255."""
    mixture = _MIXTURES[int(rng.integers(len(_MIXTURES)))](rng, size)
    first, second = _muted(rng), _muted(rng)
    return mixture * (second - first) + first


def _coverage(rng: Generator, shape: str, radius: float) -> np.ndarray:
    """Return how much of each pixel a randomly turned shape covers, (P, P) float32 in 0 to 1."""
    side = 2 * math.ceil(_EXTENT * radius)
    angle = rng.uniform(0.0, 2.0 * math.pi)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    # A slight stretch, so that no two objects are copies.
    turn *= rng.uniform(0.9, 1.0, 2) * radius * _SUPERSAMPLE
    canvas = Image.new("L", (side * _SUPERSAMPLE, side * _SUPERSAMPLE))
    pen = ImageDraw.Draw(canvas)
    for fill, outline in zip((255, 0), SHAPES[shape], strict=False):
        vertices = outline @ turn + side * _SUPERSAMPLE / 2
        pen.polygon(vertices.ravel().tolist(), fill=fill)
    return np.asarray(canvas.reduce(_SUPERSAMPLE), dtype=np.float32) / np.float32(255.0)


def _paint(rng: Generator, colour: str, side: int) -> np.ndarray:
    """Return a surface of jittered colour under slanting light, (3, side, side) float32."""
    base = np.array(COLOURS[colour], np.float32) + rng.uniform(-12.0, 12.0, 3).astype(np.float32)
    slope = np.linspace(-1.0, 1.0, side, dtype=np.float32)
    across, down = rng.uniform(-0.1, 0.1, 2).astype(np.float32)
    light = across * slope + (down * slope + np.float32(rng.uniform(0.84, 1.06)))[:, None]
    return base[:, None, None] * light


def _place(
    rng: Generator, mask: np.ndarray, side: int, radius: float
) -> tuple[slice, slice, tuple[slice, slice]]:
    """Choose where a patch goes: rows and columns of the picture, and the part that is inside it.

    A place that hides much of what is there is drawn again a few times: slivers teach no shape.
    """
    size = mask.shape[0]
    for _ in range(4):
        top, left = (rng.uniform(0.7 * radius, size - 0.7 * radius, 2) - side / 2).astype(int)
        rows, columns = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
        if np.count_nonzero(mask[rows, columns]) < 0.25 * side * side:
            break
    # Slices may end beyond the array, never begin before it.
    return rows, columns, (slice(max(-top, 0), size - top), slice(max(-left, 0), size - left))
