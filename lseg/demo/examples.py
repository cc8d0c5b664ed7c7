"""Pictures to begin with: photographs that may be shipped, and drawings of this project's own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from lseg.data.base.labels import parse_labels
from lseg.data.sets.shapes import CLASSES, draw
from lseg.demo.questions import OTHER
from lseg.paths import ASSETS

PHOTOGRAPHS = {
    "chelsea.jpg": "domestic cats, wall, other",
    "astronaut.jpg": "person, flag, other",
    "coffee.jpg": "cups, spoon, plate, table",
    "rocket.jpg": "sky, tree, tower, light",
}
"""Labels that show something: plurals, what is none of them, words without training pictures (flag,
plate, tower)."""

SIZE = 256
SEEDS = (3, 11, 20)

Example = tuple[str, str]
"""Path of a picture, and labels."""


def write_examples(
    folder: Path, of_shapes: bool, knows: Callable[[list[str]], bool]
) -> list[Example]:
    """Writes the examples whose labels a model can answer: of its own world, not of the other.

    Args:
        folder: Gets the pictures.
        of_shapes: Whether it knows coloured shapes and no photographs.
        knows: Whether labels can be asked for.
    """
    examples = draw_shapes(folder) if of_shapes else copy_photographs(folder)
    return [example for example in examples if knows(asked_names(example[1]))]


def asked_names(labels: str) -> list[str]:
    """Labels but for `other`, which every model answers, by a rule."""
    return [label for label in parse_labels(labels) if label != OTHER]


def copy_photographs(folder: Path) -> list[Example]:
    """Copies of the photographs: the page may show what is in its own folder only."""
    return [
        (str(shutil.copy(ASSETS / "photos" / name, folder)), labels)
        for name, labels in PHOTOGRAPHS.items()
    ]


def draw_shapes(folder: Path) -> list[Example]:
    """Pictures of coloured shapes, with labels that are in them."""
    examples = []
    for number, seed in enumerate(SEEDS):
        rng = np.random.default_rng([seed])
        image, mask = draw(rng, SIZE, CLASSES, min_objects=4)
        path = folder / f"shapes{number + 1}.png"
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
        names = [CLASSES[index - 1] for index in np.unique(mask) if index]
        examples.append((str(path), ", ".join(names)))
    return examples
