"""Constants that make held-out answers better."""

import torch

from lseg.memory.examples import Example, Vectors
from lseg.memory.margins import Judged, margins

NOTHING = Vectors(torch.empty(0, 2), torch.empty(0, 2))


def example(source, sure=True):
    return Example("mug", source, source, 0.5, NOTHING, NOTHING, sure)


def shown(*counts, sure=True):
    """Classes with so many pictures each."""
    return {
        place: [example(f"{place}.{number}", sure) for number in range(count)]
        for place, count in enumerate(counts)
    }


def judge(seen, others):
    """Vectors of a first class, large, of which a half is taken for the second, which is small."""
    del seen, others
    logits = torch.tensor([[1.0, 0.0], [0.0, 0.4], [0.0, 1.0]]).repeat(4, 1)
    places = torch.tensor([0, 0, 1]).repeat(4)
    areas = torch.tensor([0.4, 0.4, 0.1], dtype=torch.float64).repeat(4)
    return [Judged(logits, places, torch.ones(12, dtype=torch.bool), areas)]


def test_a_class_that_is_named_too_often_is_named_later():
    found = margins(shown(4, 4), 2, judge)
    assert found[0] - found[1] >= 0.25
    assert found.abs().max() <= 1


def test_of_what_is_not_a_label_its_answers_are_held_against_it():
    def beside(seen, others):
        (judged,) = judge(seen, others)
        wrong = judged.places == 0
        places = torch.where(wrong, 1, judged.places)  # "not the second" instead of "the first"
        return [judged._replace(places=places, own=~wrong)]

    found = margins({1: shown(0, 4)[1]}, 2, beside)
    assert found.tolist() == [0, -0.25]


def test_nothing_is_moved_of_which_too_little_is_known():
    assert margins(shown(1, 1), 2, judge).tolist() == [0, 0]
    assert margins(shown(4, 4, sure=False), 2, judge).tolist() == [0, 0]


def test_the_order_of_examples_does_not_matter():
    seen = []

    def remember(half, others):
        seen.append([sorted(one.source for one in half[place]) for place in sorted(half)])
        return judge(half, others)

    forth = shown(4, 3)
    back = {place: forth[place][::-1] for place in forth}
    assert torch.equal(margins(forth, 2, remember), margins(back, 2, remember))
    assert seen[:2] == seen[2:]
