"""What examples add to logits, against the formula pixel by pixel."""

import math

import numpy as np
import pytest
import torch

from lseg.models.maps import DenseMaps, all_logits
from lseg.models.taught import TaughtMaps
from lseg.text.question import Taught


@pytest.mark.parametrize("classes", [(2, 0), (1,), (0, 1, 2)])
def test_what_classes_gain_together_is_taken_off_where_others_have_no_examples(classes):
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
        together = 0.0
        if count < 3:
            after = sum(math.exp(t + gain) for t, gain in zip(text, gains, strict=True))
            together = math.log(after / sum(map(math.exp, text)))
        for c, gain in zip(classes, gains, strict=True):
            wanted[b, c, y, x] += gain - (1 - 1 / count) * together
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-12)
