"""Makes demo/tour.png, the picture of the README's tour, with the embedded model for photographs.

python scripts/make_tour_picture.py [OUT.png]
"""

import sys
from pathlib import Path

import numpy as np
from torch import from_numpy, pca_lowrank

from lseg.data.base.images import load_image
from lseg.inference.segmenter import Segmenter
from lseg.paths import ASSETS
from lseg.visualize import label_colours, with_legend

PHOTOGRAPH, LABELS, GAP = ASSETS / "photos" / "chelsea.jpg", ["cat", "wall", "other"], 4


def principal_colours(embeddings: np.ndarray) -> np.ndarray:
    """The first three principal components of (C, h, w) embeddings as colours (h, w, 3) uint8."""
    pixels = from_numpy(embeddings).flatten(1).T
    _, _, directions = pca_lowrank(pixels, q=3, niter=8)
    components = (pixels - pixels.mean(0)) @ directions
    low, high = components.quantile(0.02, dim=0), components.quantile(0.98, dim=0)
    shares = ((components - low) / (high - low)).clamp(0, 1)
    return (255 * shares).byte().numpy().reshape(*embeddings.shape[1:], 3)


def main(out: Path) -> None:
    """Asks a photograph for labels, and puts three views of it side by side."""
    segmenter = Segmenter.from_pretrained("photo")
    picture = load_image(PHOTOGRAPH)
    segmenter.set_image(picture)
    answer = segmenter.segment(LABELS)
    height, width = size = answer.label_map.shape
    colours = principal_colours(segmenter.embed(picture, size=size, dtype="float32"))
    gap = np.full((height, GAP, 3), 255, np.uint8)
    overlay = np.asarray(answer.overlay().crop((0, 0, width, height)).convert("RGB"))
    row = np.concatenate([np.asarray(picture), gap, overlay, gap, colours], axis=1)
    found = np.unique(answer.label_map).tolist()
    with_legend(row, LABELS, label_colours(LABELS), found).quantize(256).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/tour.png"))
