"""What examples add to a question, by the scale of its text logits and by their number."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from lseg.memory.examples import Example, Vectors
from lseg.memory.taught import LEAST, RIDGE, SOFT, ridge_of, taught_by
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


def test_the_penalty_falls_with_examples_and_with_what_text_does_not_say():
    assert ridge_of(1, 1) == RIDGE
    assert ridge_of(0.25, 10) == pytest.approx(0.8 * RIDGE)
    assert ridge_of(0, 1) == ridge_of(LEAST, 1)


def test_where_text_says_what_examples_show_less_is_learnt_of_what_else_is_in_them(question):
    """Sky of the same look, where text finds it and where it takes it for road."""
    looks = torch.randn(8, SEEN).half()
    sizes = []
    for place in (0, 1):
        told = question.vectors[place].expand(8, -1).half()
        seen = example("sky")
        shown = {0: [replace(seen, shown=Vectors(told, looks), rest=vectors(0))]}
        scores = taught_by(question, shown, SOFT).taught
        sizes.append(scores.levels.norm())
    assert sizes[1] > 10 * sizes[0]


def test_the_surer_text_is_taken_to_be_the_less_is_learnt(question):
    shown = {0: [example("sky")], 2: [example("tree")]}
    found = [taught_by(question, shown, SOFT, trust=trust).taught for trust in (0.5, 1, 20)]
    sizes = [taught.times(1 / SOFT).levels.norm() for taught in found]
    assert sizes[0] > sizes[1] > sizes[2]
