"""Questions for `load_demo.py` with their answers, which are of a Segmenter, not of a demo."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lseg.data.sets.shapes import CLASSES, draw
from lseg.inference.memory import Memory
from lseg.inference.segmenter import Segmenter
from lseg.memory.marks import Box
from lseg.models.lseg import LSeg

SIDES = (64, 96, 150, 256, 400, 640, 900)
"""Of pictures, in pixels: the page shows up to 1,024, where a demo teaches at the same size."""

GADGET = "gadget"


@dataclass(frozen=True)
class Question:
    """A picture, labels, and the label map that is right.

    Attributes:
        picture: A PNG file.
        labels: As a visitor types them.
        expected: (H, W) indices.
        box: Where the visitor teaches `GADGET` first; None for one who teaches nothing.
    """

    picture: bytes
    labels: str
    expected: np.ndarray
    box: tuple[int, int, int, int] | None = None


def make_questions(model: LSeg, folder: Path, count: int) -> list[Question]:
    """So many pictures: with their own labels, with a subset, and with two visitors' gadgets.

    The two call different halves of the same picture by the same name, so that an answer out of
    another's memory is a wrong one.
    """
    questions = []
    for number in range(count):
        side = SIDES[number % len(SIDES)]
        image, mask = draw(np.random.default_rng([number]), side, CLASSES, min_objects=3)
        path = folder / f"{number}.png"
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
        data = path.read_bytes()
        names = [CLASSES[index - 1] for index in np.unique(mask) if index]
        for labels in (names, names[:1]):
            segmenter = Segmenter(model)
            segmenter.set_image(path)
            right = segmenter.segment([*labels, "other"]).label_map
            questions.append(Question(data, ", ".join(labels), right))
        for box in ((0, 0, side // 2, side), (side // 2, 0, side, side)):
            memory = Memory(model)
            memory.add(path, Box(*box), GADGET)
            segmenter = Segmenter(model, memory=memory)
            segmenter.set_image(path)
            right = segmenter.segment([names[0], GADGET, "other"]).label_map
            questions.append(Question(data, f"{names[0]}, {GADGET}", right, box))
    return questions


def read_map(data: bytes) -> np.ndarray:
    """A label map as the demo gives it; an empty one for what is no picture."""
    try:
        return np.asarray(Image.open(io.BytesIO(data)))
    except OSError:
        return np.empty(0)
