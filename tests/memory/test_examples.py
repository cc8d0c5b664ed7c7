import pytest
import torch

from lseg.errors import LabelError
from lseg.memory.examples import CELLS, Example, Examples, Vectors


def example(label="mug", key="a", count=CELLS):
    vectors = Vectors(torch.randn(count, 4).half(), torch.randn(count, 6).half())
    return Example(label, f"{key}.png", key, 0.5, vectors, vectors)


def places(examples):
    return [(one.label, one.key, one.count) for one in examples]


def test_the_order_of_coming_does_not_matter():
    some = [example(label, key) for label in ("mug", "pen") for key in "abc"]
    assert places(Examples(some)) == places(Examples(reversed(some)))
    assert Examples(some).labels == ["mug", "pen"]


def test_the_same_marks_count_once():
    examples = Examples([example(), example()])
    assert len(examples) == 1
    assert examples.vectors == 2 * CELLS


def test_a_label_is_forgotten():
    examples = Examples([example("mug", "a"), example("mug", "b"), example("pen", "a")])
    assert examples.remove("mug") == 2
    assert places(examples) == [("pen", "a", 2 * CELLS)]
    with pytest.raises(LabelError, match=r"no example of 'mug' to remove.*'pen'"):
        examples.remove("mug")


def test_where_there_are_many_fewer_vectors_are_kept_of_each_in_any_order():
    some = [example("mug", str(number)) for number in range(10)]
    limit = 10 * CELLS
    forth, back = Examples(some, limit), Examples(reversed(some), limit)
    assert forth.vectors <= limit
    assert len(forth) == 10
    for one, other in zip(forth, back, strict=True):
        assert torch.equal(one.shown.levels, other.shown.levels)
    assert {one.count for one in forth} == {CELLS}


def test_a_full_memory_says_so():
    with pytest.raises(LabelError, match="holds 3 examples at most"):
        Examples((example("mug", str(number)) for number in range(4)), limit=6)
