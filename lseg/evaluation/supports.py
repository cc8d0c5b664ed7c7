"""Few-shot questions: background and class, asked by text and by what support pictures show."""

import numpy as np
import torch
from torch import Tensor

from lseg.memory.examples import Example
from lseg.memory.marks import LABEL, REST, UNKNOWN, Mask
from lseg.memory.sampling import Cells
from lseg.memory.taught import taught_by
from lseg.models.lseg import LSeg
from lseg.models.trunk import pad_to_multiple
from lseg.text.question import Question

DEFAULT_WEIGHT = 0.5

NAMES = ("background", "class")


def support_question(
    model: LSeg, text: Tensor, pictures: Tensor, masks: Tensor, weight: float = DEFAULT_WEIGHT
) -> Question:
    """What the pixels of an episode's query are asked.

    Args:
        model: In eval mode.
        text: (2, C) unit vectors of the background label and the class.
        pictures: (S, 3, s, s) uint8.
        masks: (S, s, s): 1 is the class, 0 the background, other values are left out.
        weight: Of the supports against text, above 0: in the fit of the supports, text is taken to
            be (1 - weight) / weight times as sure as in a memory's. With 1 the supports are all
            that is asked.
    """
    pixels = model.normalize(pictures.to(model.device, non_blocking=True))
    padded, size = pad_to_multiple(pixels, model.trunk.multiple)
    look, shape = model.look(padded), (padded.shape[-2], padded.shape[-1])
    shown: dict[int, list[Example]] = {}
    for number, (picture, mask) in enumerate(zip(pictures, masks.cpu().numpy(), strict=True)):
        cells = Cells(look.picture(number), size, shape)
        image = picture.permute(1, 2, 0).cpu().numpy()
        for place, name in enumerate(NAMES):
            if (mask == place).any():
                example = cells.example(name, f"support {number}", image, Mask(_marks(mask, place)))
                shown.setdefault(place, []).append(example)
    alone = weight == 1
    question = Question.of_vectors(torch.zeros_like(text) if alone else text, NAMES)
    scale = 0.0 if alone else model.config.logit_scale
    return taught_by(question, shown, scale, trust=(1 - weight) / weight)


def _marks(mask: np.ndarray, place: int) -> np.ndarray:
    elsewhere = np.where(mask == 1 - place, REST, UNKNOWN)
    return np.where(mask == place, LABEL, elsewhere).astype(np.uint8)
