"""What examples add to a question, by the scale of its text logits and by their number."""

import pytest
import torch
from torch.nn import functional as F

from lseg.memory.examples import Example, Vectors
from lseg.memory.taught import SOFT, ridge_of, taught_by
from lseg.text.question import Question

WIDTH, SEEN = 16, 6
NAMES = ["sky", "road", "tree"]


def vectors(count=8):
    return Vectors(F.normalize(torch.randn(count, WIDTH), dim=1).half(), torch.randn(count, SEEN))


def example(label, source="picture"):
    return Example(label, source, source, 0.5, vectors(), vectors())


@pytest.fixture
def question():
    torch.manual_seed(0)
    return Question.of_vectors(F.normalize(torch.randn(3, WIDTH), dim=1), NAMES)


def test_text_that_is_too_sure_is_fitted_softer_and_its_answer_scaled_back(question):
    shown = {0: [example("sky")], 2: [example("tree")]}
    found, soft = (taught_by(question, shown, scale).taught for scale in (2 * SOFT, SOFT))
    assert soft.embedding.abs().max() > 0.1
    for part in ("embedding", "levels", "bias"):
        torch.testing.assert_close(getattr(found, part), 2 * getattr(soft, part))


def test_text_that_is_not_is_fitted_as_it_is(question):
    shown = {0: [example("sky")], 2: [example("tree")]}
    found, soft = (taught_by(question, shown, scale).taught for scale in (SOFT / 2, SOFT))
    assert not torch.allclose(found.embedding, soft.embedding / 2, atol=1e-2)


def test_the_penalty_falls_with_examples_whatever_their_classes():
    one, other = example("sky"), example("tree")
    assert ridge_of({0: [one], 2: [other]}) == ridge_of({0: [one, other]})
    assert ridge_of({0: [one, other]}) == pytest.approx(ridge_of({0: [one]}) / 2)
