"""Pictures to begin with, drawn by this project itself."""

from pathlib import Path

import numpy as np
from PIL import Image

from lseg.data.sets.shapes import CLASSES, draw

SIZE = 256
SEEDS = (3, 11, 20)


def draw_examples(folder: Path) -> list[tuple[str, str]]:
    """Writes pictures of coloured shapes; returns their paths and labels that are in them."""
    examples = []
    for number, seed in enumerate(SEEDS):
        rng = np.random.default_rng([seed])
        image, mask = draw(rng, SIZE, CLASSES, min_objects=4)
        path = folder / f"shapes{number + 1}.png"
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
        names = [CLASSES[index - 1] for index in np.unique(mask) if index]
        examples.append((str(path), ", ".join(names)))
    return examples
