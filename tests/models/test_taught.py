"""What examples add to logits, against the formula pixel by pixel."""

import numpy as np
import pytest
import torch

from lseg.models.maps import DenseMaps, all_logits
from lseg.models.taught import TaughtMaps
from lseg.text.question import Taught


@pytest.mark.parametrize("classes", [(2, 0), (1,), (0, 1, 2)])
def test_what_the_best_class_gains_is_taken_off_where_others_have_no_examples(classes):
    count = len(classes)
    logits = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    scores = torch.randn(2, count, 4, 5, dtype=torch.float64)
    bias = torch.randn(count, dtype=torch.float64)
    taught = Taught(torch.tensor(classes), torch.empty(count, 0), torch.empty(count, 0), bias)
    found = all_logits(TaughtMaps(DenseMaps(logits), DenseMaps(scores), taught))
    wanted = logits.numpy().copy()
    for b, y, x in np.ndindex(2, 4, 5):
        text = [float(logits[b, c, y, x]) for c in classes]
        gains = [float(scores[b, t, y, x] + bias[t]) for t in range(count)]
        best = 0.0
        if count < 3:
            best = max(t + gain for t, gain in zip(text, gains, strict=True)) - max(text)
        for c, gain in zip(classes, gains, strict=True):
            wanted[b, c, y, x] += gain - (1 - 1 / count) * best
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-12)


def answers(text, scores, taught):
    """Logits (N) of a pixel: text's (N), and what examples add to the classes `taught`, (T)."""
    count = len(taught)
    added = Taught(
        torch.tensor(taught), torch.empty(count, 0), torch.empty(count, 0), torch.zeros(count)
    )
    maps = (DenseMaps(torch.tensor(values)[None, :, None, None]) for values in (text, scores))
    return TaughtMaps(*maps, added).rows(0, 1)[0, :, 0, 0]


def test_where_all_classes_have_examples_what_they_say_is_added():
    assert answers([1.0, 2.0], [3.0, -1.0], [0, 1]).tolist() == [4, 1]


def test_one_class_with_examples_takes_all_that_it_gains():
    assert answers([1.0, 2.0], [3.0], [0]).tolist() == [4, 2]


def test_examples_that_leave_open_what_it_is_give_no_pixel_to_a_class_without_any():
    """Eight classes take after their examples an equal part of what text said of the first."""
    text = torch.tensor([6.0] + 7 * [0.0])
    equal = text.logsumexp(0) - torch.tensor(8.0).log()
    found = answers([*text.tolist(), 5.0], (equal - text).tolist(), list(range(8)))
    assert found[:8].max() > found[8] == 5


def test_examples_take_nothing_from_a_class_without_any_where_text_says_it_is_there():
    found = answers([0.0, 0.0, 0.0, 0.0, 3.0], [4.0, 1.0, 0.0, 0.0], [0, 1, 2, 3])
    assert found.argmax() == 4
    assert found[0] - found[1] == pytest.approx(3)
