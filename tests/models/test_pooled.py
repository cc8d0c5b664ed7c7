import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lseg.models import strips as strips_module
from lseg.models.embeddings import AffineMap, PixelEmbeddings
from lseg.models.maps import DenseMaps, ResizedMaps, all_logits
from lseg.models.pooled import PooledMaps, UnsureMaps, answered, pooled_logits
from lseg.models.similarity import PixelLogits, compare
from lseg.models.strips import Budget, label_map, top_labels
from lseg.models.upsample import upsample
from lseg.text.question import Pool, Question, Unsure

POOLS = (Pool(2), Pool(), Pool(3, summed=True), Pool(4, margin=0.5))
COUNT = 10


def pool_by_hand(logits):
    """(B, 10, H, W) by `POOLS`, in NumPy."""
    a, b, c, d = np.split(logits.numpy(), [2, 3, 6], axis=1)
    classes = [a.max(1), b[:, 0], np.log(np.exp(c).sum(1)), d.max(1) - 0.5]
    return np.stack(classes, axis=1)


class Watched(DenseMaps):
    """Keeps how large the parts are that are asked of it."""

    def __init__(self, values, asked):
        super().__init__(values)
        self.asked = asked

    def rows(self, start, stop):
        found = super().rows(start, stop)
        self.asked.append(found.numel())
        return found

    def split(self, count):
        return [Watched(part, self.asked) for part in self.values.split(count, dim=1)]

    def pictures(self, first, last):
        return Watched(self.values[first:last], self.asked)


@pytest.mark.parametrize("at_once", [1, 3, 256])
@pytest.mark.parametrize("budget", [1, 800, 10**9])
def test_the_largest_and_the_sum_of_a_class_s_vectors(budget, at_once, monkeypatch):
    monkeypatch.setattr(strips_module, "CPU_BUDGET", Budget(budget, at_once))
    values = torch.randn(2, COUNT, 7, 5, dtype=torch.float64)
    wanted = pool_by_hand(values)
    found = PooledMaps(DenseMaps(values), POOLS)
    assert (found.batch, found.labels, found.size) == (2, 4, (7, 5))
    np.testing.assert_allclose(all_logits(found).numpy(), wanted, atol=1e-12)
    np.testing.assert_allclose(found.rows(3, 6).numpy(), wanted[:, :, 3:6], atol=1e-12)
    np.testing.assert_array_equal(label_map(found).numpy(), wanted.argmax(1))
    second = all_logits(found.pictures(1, 2))
    np.testing.assert_allclose(second.numpy(), wanted[1:], atol=1e-12)


def test_the_vectors_of_a_class_do_not_take_more_memory_than_a_strip(monkeypatch):
    budget = 4 * 4 * 6 * 10  # four rows of six vectors
    monkeypatch.setattr(strips_module, "CPU_BUDGET", Budget(budget, 6))
    asked = []
    values = torch.randn(1, 200, 40, 10)
    maps = PooledMaps(Watched(values, asked), [Pool(199), Pool()])
    assert torch.equal(label_map(maps)[0], (values[0, 199] > values[0, :199].amax(0)).long())
    assert max(asked) == budget // 4
    assert sum(asked) == values.numel()  # and nothing is computed twice


@pytest.mark.parametrize("below", [0.4, 0.6, 0.9])
@pytest.mark.parametrize("index", [0, 2, 4])
def test_a_pixel_is_unsure_below_the_threshold_and_nowhere_else(index, below):
    values = 3 * torch.randn(2, 4, 6, 7, dtype=torch.float64)
    found = UnsureMaps(DenseMaps(values), index, below)
    assert found.labels == 5
    shares, best = values.softmax(1).max(1)
    wanted = torch.where(shares < below, index, best + (best >= index))
    assert torch.equal(label_map(found), wanted)
    assert 0 < (wanted == index).sum() < wanted.numel()
    logits = all_logits(found)
    rest = logits[:, [place for place in range(5) if place != index]]
    torch.testing.assert_close(rest, values)
    odds = (logits[:, index] - values.amax(1)).exp()  # of being unsure, against the best label
    torch.testing.assert_close(odds, (1 - shares) / shares * below / (1 - below))
    assert torch.equal(top_labels(found.pictures(1, 2), 5).indices[0, 0], wanted[1])


@pytest.mark.parametrize("index", [0, 2, 4])
def test_a_class_with_vectors_also_takes_what_is_unsure(index):
    values = 3 * torch.randn(2, 5, 6, 7, dtype=torch.float64)
    found = UnsureMaps(DenseMaps(values), index, 0.6, there=True)
    assert found.labels == 5
    places = [place for place in range(5) if place != index]
    shares, best = values[:, places].softmax(1).max(1)
    beaten = values[:, index] > values[:, places].amax(1)
    wanted = torch.where((shares < 0.6) | beaten, index, best + (best >= index))
    assert torch.equal(label_map(found), wanted)
    assert (beaten & (shares > 0.6)).any() and ((shares < 0.6) & ~beaten).any()
    torch.testing.assert_close(all_logits(found)[:, places], values[:, places])


def test_a_label_alone_is_never_unsure():
    found = label_map(UnsureMaps(DenseMaps(torch.randn(1, 1, 4, 5)), 1, 0.99))
    assert (found == 0).all()


@pytest.mark.parametrize("pools", [POOLS, (Pool(),) * COUNT])
def test_vectors_are_pooled_at_the_network_s_resolution(pools):
    embeddings = PixelEmbeddings(
        torch.randn(1, 6, 5, 4), AffineMap(torch.randn(16, 6), torch.randn(16))
    )
    vectors = F.normalize(torch.randn(COUNT, 16), dim=-1)
    half = compare(embeddings, vectors, 1 / 0.07, torch.nn.Identity())
    names = tuple(map(str, range(len(pools) + 1)))
    question = Question(names, vectors, pools, Unsure(1, 0.4))
    maps = ResizedMaps(pooled_logits(PixelLogits(half, (20, 16), (19, 13)), question), (31, 33))
    cosines = F.cosine_similarity(
        embeddings.dense()[:, None], vectors[None, :, :, None, None], dim=2
    )
    classes = torch.as_tensor(pool_by_hand(cosines / 0.07)) if pools == POOLS else cosines / 0.07
    wanted = upsample(upsample(classes, (20, 16))[..., :19, :13], (31, 33))
    torch.testing.assert_close(all_logits(maps), wanted, atol=1e-4, rtol=1e-5)
    shares, best = wanted.softmax(1).max(1)
    labels = torch.where(shares < 0.4, 1, best + (best >= 1))
    agreement = (label_map(answered(maps, question)) == labels).double().mean()
    assert agreement > 0.995  # the rest is rounding
