"""Logits at the decoder's own grid as a network learns by them, and the loss of them."""

import pytest
import torch
from torch.nn import functional as F

from lseg.models.embeddings import AffineMap, PixelEmbeddings
from lseg.models.loss import mean_cross_entropy
from lseg.models.similarity import coarse_logits

LABELS, SIZE = 5, (6, 7)


def inputs():
    """Features (2, 9, h, w) and a map to 30 channels, in float64."""
    shapes = [(2, 9, *SIZE), (30, 9), (30,)]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def text(*shape):
    return F.normalize(torch.randn(*shape, 30, dtype=torch.float64), dim=-1)


def plain(x, weight, bias, vectors):
    pixels = F.normalize(F.conv2d(x, weight[..., None, None], bias), dim=1)
    equation = "bchw,nc->bnhw" if vectors.ndim == 2 else "bchw,bnc->bnhw"
    return 14.0 * torch.einsum(equation, pixels, vectors)


@pytest.mark.parametrize("own_labels", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighed", [False, True])
def test_values_loss_and_gradients_are_those_of_the_formula(own_labels, smoothing, weighed):
    vectors = text(2, LABELS) if own_labels else text(LABELS)
    mask = torch.randint(0, LABELS, (2, *SIZE))
    mask[0, :2] = 255
    weights = torch.rand(LABELS, dtype=torch.float64) if weighed else None
    found = inputs()
    wanted = [value.detach().clone().requires_grad_() for value in found]
    ours = coarse_logits(PixelEmbeddings(found[0], AffineMap(*found[1:])), vectors, 14.0)
    theirs = plain(*wanted, vectors)
    torch.testing.assert_close(ours, theirs)
    loss = mean_cross_entropy(ours, mask, 255, smoothing, weights)
    expected = F.cross_entropy(theirs, mask, weights, ignore_index=255, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    for own, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(own.grad, other.grad)


def test_labels_of_a_pixel_lie_side_by_side_while_it_learns():
    x, weight, bias = inputs()
    pixels = PixelEmbeddings(x, AffineMap(weight, bias))
    logits = coarse_logits(pixels, text(LABELS), 14.0)
    assert logits.is_contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        asked = coarse_logits(pixels, text(LABELS), 14.0)
    assert asked.is_contiguous()
