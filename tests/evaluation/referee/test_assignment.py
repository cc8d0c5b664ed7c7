import itertools

import numpy as np
import pytest

from lseg.evaluation.referee.assignment import best_assignment


@pytest.mark.parametrize("count", range(1, 7))
@pytest.mark.parametrize("ties", [False, True])
def test_no_permutation_is_better(count, ties):
    rng = np.random.default_rng(count)
    for _ in range(20):
        shape = (count, count)
        gain = rng.integers(-2, 3, shape).astype(float) if ties else rng.normal(size=shape)
        found = best_assignment(gain)
        assert sorted(found) == list(range(count))
        sums = [
            gain[np.arange(count), list(one)].sum() for one in itertools.permutations(range(count))
        ]
        assert gain[np.arange(count), found].sum() == pytest.approx(max(sums))


def test_a_planted_permutation_of_many_is_found():
    rng = np.random.default_rng(0)
    wanted = rng.permutation(300)
    gain = 0.5 * rng.random((300, 300))
    gain[np.arange(300), wanted] += 0.5
    assert (best_assignment(gain) == wanted).all()
