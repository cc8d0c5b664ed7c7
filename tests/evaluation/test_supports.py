import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lseg.evaluation.supports import NAMES, _marks, support_question
from lseg.memory.marks import LABEL, REST, UNKNOWN, Mask
from lseg.memory.sampling import Cells
from lseg.memory.taught import taught_by
from lseg.models.maps import all_logits
from lseg.models.taught import picture_logits
from lseg.text.question import Question


@pytest.fixture
def text(model):
    return F.normalize(torch.randn(2, model.config.embed_dim), dim=1)


def scene(seed):
    """A red square on grey, (3, 64, 64), and where it is."""
    rng = np.random.default_rng(seed)
    mask = torch.zeros(64, 64, dtype=torch.uint8)
    top, left = rng.integers(0, 32, 2)
    mask[top : top + 32, left : left + 32] = 1
    colours = torch.tensor([[110, 110, 110], [220, 30, 30]], dtype=torch.uint8)
    return colours[mask.long()].permute(2, 0, 1), mask


def label_map(model, pixels, question):
    with torch.inference_mode():
        (maps,) = picture_logits(model, model.normalize(pixels[None]), [question])
        return all_logits(maps)[0].argmax(0)


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_a_support_shows_what_to_look_for(model, text, weight):
    image, mask = scene(0)
    question = support_question(model, text, image[None], mask[None], weight)
    other, truth = scene(1)
    found = label_map(model, other, question) == 1
    assert (found & (truth == 1)).sum() / (found | (truth == 1)).sum() > 0.5


def test_text_is_surer_the_less_supports_weigh(model, text):
    image, mask = scene(0)
    asked = [support_question(model, text, image[None], mask[None], one) for one in (0.9, 0.5, 0.1)]
    sizes = [question.taught.levels.norm().item() for question in asked]
    assert sizes == sorted(sizes, reverse=True)


def test_the_default_is_what_a_memory_says_of_the_same_examples(model, text):
    image, mask = scene(0)
    pixels = model.normalize(image[None])
    cells = Cells(model.look(pixels), (64, 64), (64, 64))
    marks = ((NAMES[0], _marks(mask.numpy(), 0)), (NAMES[1], _marks(mask.numpy(), 1)))
    picture = image.permute(1, 2, 0).numpy()
    shown = {
        place: [cells.example(name, "support 0", picture, Mask(painted))]
        for place, (name, painted) in enumerate(marks)
    }
    asked = taught_by(Question.of_vectors(text, NAMES), shown, model.config.logit_scale)
    found = support_question(model, text, image[None], mask[None])
    torch.testing.assert_close(found.taught.levels, asked.taught.levels)


def test_the_order_of_supports_makes_no_difference(model, text):
    images, masks = map(torch.stack, zip(*map(scene, range(3)), strict=True))
    forth = support_question(model, text, images, masks)
    back = support_question(model, text, images.flip(0), masks.flip(0))
    torch.testing.assert_close(forth.taught.levels, back.taught.levels, atol=1e-4, rtol=1e-3)


def test_a_support_without_the_class_still_shows_the_background(model, text):
    image, mask = scene(0)
    question = support_question(model, text, image[None], torch.zeros_like(mask)[None])
    assert question.taught.classes.tolist() == [0]


def test_supports_of_which_nothing_counts_leave_text_alone(model, text):
    image, mask = scene(0)
    question = support_question(model, text, image[None], torch.full_like(mask, 255)[None])
    assert question.taught is None


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_text_is_asked_unless_supports_have_all_the_weight(model, text, weight):
    image, mask = scene(0)
    question = support_question(model, text, image[None], mask[None], weight)
    assert torch.equal(question.vectors, text * (weight < 1))


@pytest.mark.parametrize(("place", "wanted"), [(0, [LABEL, REST, UNKNOWN]),
                                               (1, [REST, LABEL, UNKNOWN])])  # fmt: skip
def test_what_is_left_out_of_a_mask_is_neither_class_nor_background(place, wanted):
    assert _marks(np.array([0, 1, 255]), place).tolist() == wanted
