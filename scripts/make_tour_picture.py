"""Draws demo/tour.png, the picture of the README's tour, with the embedded model.

python scripts/make_tour_picture.py [OUT.png]
"""

import sys
from pathlib import Path

import numpy as np
from torch import from_numpy, pca_lowrank

from lseg.data.sets.shapes import CLASSES, draw
from lseg.inference.segmenter import Segmenter
from lseg.visualize import label_colours, with_legend

SIZE, SEED, GAP = 256, 11, 4


def principal_colours(embeddings: np.ndarray) -> np.ndarray:
    """The first three principal components of (C, h, w) embeddings as colours (h, w, 3) uint8."""
    pixels = from_numpy(embeddings).flatten(1).T
    _, _, directions = pca_lowrank(pixels, q=3, niter=8)
    components = (pixels - pixels.mean(0)) @ directions
    low, high = components.quantile(0.02, dim=0), components.quantile(0.98, dim=0)
    shares = ((components - low) / (high - low)).clamp(0, 1)
    return (255 * shares).byte().numpy().reshape(*embeddings.shape[1:], 3)


def main(out: Path) -> None:
    """Draws a picture, asks for what is in it, and puts three views side by side."""
    image, mask = draw(np.random.default_rng([SEED]), SIZE, CLASSES, min_objects=4)
    labels = [CLASSES[index - 1] for index in np.unique(mask) if index] + ["background"]
    segmenter = Segmenter.from_pretrained("tiny")
    picture = np.ascontiguousarray(image.transpose(1, 2, 0))
    segmenter.set_image(picture)
    answer = segmenter.segment(labels)
    colours = principal_colours(segmenter.embed(picture, size=(SIZE, SIZE), dtype="float32"))
    gap = np.full((SIZE, GAP, 3), 255, np.uint8)
    overlay = np.asarray(answer.overlay().crop((0, 0, SIZE, SIZE)).convert("RGB"))
    row = np.concatenate([picture, gap, overlay, gap, colours], axis=1)
    found = np.unique(answer.label_map).tolist()
    with_legend(row, labels, label_colours(labels), found).quantize(128).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/tour.png"))
