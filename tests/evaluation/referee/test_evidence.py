import numpy as np
import pytest

from lseg.evaluation.referee.evidence import RegionCounter, bits, kappa, pair_kappa, regions


def flooded(values):
    """Number of regions, by flooding one after the other."""
    seen, found = np.zeros(values.shape, bool), 0
    for start in np.ndindex(values.shape):
        if seen[start]:
            continue
        found, waiting = found + 1, [start]
        seen[start] = True
        while waiting:
            y, x = waiting.pop()
            for near in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                inside = all(0 <= a < b for a, b in zip(near, values.shape, strict=True))
                if inside and not seen[near] and values[near] == values[y, x]:
                    seen[near] = True
                    waiting.append(near)
    return found


@pytest.mark.parametrize("values", [1, 2, 3, 9])
def test_regions_are_those_that_can_be_flooded(values):
    rng = np.random.default_rng(values)
    for _ in range(10):
        drawn = rng.integers(0, values, rng.integers(1, 40, 2))
        assert regions(drawn) == flooded(drawn)


def test_regions_of_ignored_pixels_do_not_count_and_large_maps_are_seen_coarsely():
    stripes = np.repeat([0, 255, 1, 255], 200)[None].repeat(900, 0)
    assert regions(stripes) == 4
    assert regions(stripes, 255) == 2


def test_a_picture_counts_for_the_simpler_of_its_maps_and_late_ones_for_one():
    counter = RegionCounter(255, pictures=1)
    board = np.indices((6, 6)).sum(0) % 2
    halves = np.repeat([0, 1], 3)[None].repeat(6, 0)
    counter.add(board, halves)
    assert counter.regions == 2
    counter.add(board, board)
    assert (counter.regions, counter.pictures) == (3, 2)


def test_kappa_is_1_for_agreement_and_0_for_independent_maps_however_skewed():
    assert kappa(np.diag([90, 9, 1])) == 1
    shares = np.outer([90, 10], [5, 95])
    assert kappa(shares) == pytest.approx(0)
    assert kappa(np.array([[10, 0, 0], [0, 5, 5]])) < 1  # a value that is no class is an error
    assert kappa(np.zeros((2, 2))) == 0
    assert kappa(np.array([[7, 0], [0, 0]])) == 0  # one class alone shows nothing


def test_kappa_of_a_pair_sees_one_class_only():
    confusion = np.array([[0, 8, 0], [9, 0, 0], [0, 3, 4]])
    assert pair_kappa(confusion, 1, 0) == 1
    assert 0 < pair_kappa(confusion, 0, 1) < 1


def test_two_classes_give_a_bit_a_picture_and_more_classes_more_for_each_region():
    assert bits(np.diag([5, 5]), pictures=4, regions=100) == pytest.approx(4)
    assert bits(np.diag([5] * 4), 2, 5) == pytest.approx(2 * 2 + 3 * np.log2(3))
    assert bits(np.diag([100, 0]), 3, 9) == 0
