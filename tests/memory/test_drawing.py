import pytest
import torch

from lseg.memory.drawing import draw, half_of, mislabelled
from lseg.memory.examples import Example, Vectors


def pictures(drawn):
    return {one.picture for one in drawn}


def test_each_class_gets_pictures_that_it_is_in_and_keeps_them_with_more_shots():
    occurs = torch.rand(40, 5) > 0.5
    few, more = draw(occurs, 2, seed=3), draw(occurs, 6, seed=3)
    assert set(few) < set(more)
    assert all(sum(one.cls == cls for one in more) >= 6 for cls in range(5))
    assert len(pictures(more)) <= 30
    assert draw(occurs, 2, seed=4) != few


def test_a_picture_shows_all_classes_in_it():
    occurs = torch.rand(40, 5) > 0.5
    drawn = draw(occurs, 2, seed=3)
    wanted = [tuple(one) for one in occurs.nonzero().tolist() if one[0] in pictures(drawn)]
    assert drawn == wanted


def test_what_is_drawn_for_a_class_does_not_depend_on_the_others():
    occurs = torch.rand(40, 5) > 0.5
    alone = draw(occurs, 3, seed=1, classes=[2])
    assert len(alone) == 3
    assert {one.cls for one in alone} == {2}
    assert set(alone) < set(draw(occurs, 3, seed=1))


def test_a_rare_class_gets_what_there_is():
    occurs = torch.zeros(9, 1, dtype=torch.bool)
    occurs[4] = True
    assert draw(occurs, 5) == [(4, 0)]
    assert draw(occurs) == [(4, 0)]


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_a_share_of_examples_gets_another_label(share):
    vectors = Vectors(torch.zeros(1, 4), torch.zeros(1, 4))
    labels = ["sky", "road", "tree"]
    examples = [Example(labels[i % 3], f"{i}", f"{i}", 0.1, vectors, vectors) for i in range(10)]
    found = mislabelled(examples, share, labels, seed=2)
    pairs = list(zip(examples, found, strict=True))
    assert sum(one.label != other.label for one, other in pairs) == 10 * share
    assert all(one.key == other.key and other.label in labels for one, other in pairs)


def test_half_of_the_classes_depends_on_the_seed():
    halves = {tuple(half_of(11, seed)) for seed in range(9)}
    assert len(halves) > 3
    assert {len(half) for half in halves} == {6}
