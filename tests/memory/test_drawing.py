import torch

from lseg.memory.drawing import draw, half_of


def test_each_class_gets_pictures_that_it_is_in_and_keeps_them_with_more_shots():
    occurs = torch.rand(40, 5) > 0.5
    few, more = draw(occurs, 2, seed=3), draw(occurs, 6, seed=3)
    assert all(occurs[picture, cls] for picture, cls in more)
    assert set(few) < set(more)
    assert [sum(one.cls == cls for one in more) for cls in range(5)] == [6] * 5
    assert draw(occurs, 2, seed=4) != few


def test_what_a_class_gets_does_not_depend_on_the_others():
    occurs = torch.rand(40, 5) > 0.5
    alone = draw(occurs, 3, seed=1, classes=[2])
    assert alone == [one for one in draw(occurs, 3, seed=1) if one.cls == 2]


def test_a_rare_class_gets_what_there_is():
    occurs = torch.zeros(9, 1, dtype=torch.bool)
    occurs[4] = True
    assert draw(occurs, 5) == [(4, 0)]
    assert draw(occurs) == [(4, 0)]


def test_half_of_the_classes_depends_on_the_seed():
    halves = {tuple(half_of(11, seed)) for seed in range(9)}
    assert len(halves) > 3
    assert {len(half) for half in halves} == {6}
