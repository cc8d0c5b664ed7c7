import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lseg.models import strips as strips_module
from lseg.models.embeddings import AffineMap, PixelEmbeddings
from lseg.models.loss import mean_cross_entropy, strip_cross_entropy
from lseg.models.regularization import SpatialBlock
from lseg.models.similarity import PixelLogits, compare
from lseg.models.strips import Budget
from lseg.models.upsample import double_size, upsample

PADDED, SIZE, LABELS = (20, 28), (19, 25), 6


@pytest.fixture(params=[1, 4, 1000], ids="{} rows a strip".format)
def strips(request, monkeypatch):
    """Of one picture, but where a strip has room for both."""
    budget = Budget(request.param * 4 * LABELS * SIZE[1], 128)
    monkeypatch.setattr(strips_module, "CPU_BUDGET", budget)


@pytest.fixture
def mask():
    mask = torch.randint(0, LABELS, (2, *SIZE))
    mask[0, :3] = 255
    return mask


def inputs(channels=9, width=30):
    shapes = [(2, channels, 5, 7), (width, channels), (width,)]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def text(*shape, width=30):
    return F.normalize(torch.randn(*shape, width, dtype=torch.float64), dim=-1)


def ours(x, weight, bias, vectors, block):
    embeddings = PixelEmbeddings(x, AffineMap(weight, bias))
    return PixelLogits(compare(embeddings, vectors, 14.0, block), PADDED, SIZE)


def plain(x, weight, bias, vectors, block):
    pixels = F.normalize(F.conv2d(double_size(x), weight[..., None, None], bias), dim=1)
    equation = "bchw,nc->bnhw" if vectors.ndim == 2 else "bchw,bnc->bnhw"
    half = block(14.0 * torch.einsum(equation, pixels, vectors))
    return upsample(half, PADDED)[..., : SIZE[0], : SIZE[1]]


@pytest.mark.parametrize("kind", ["none", "depthwise", "bottleneck"])
@pytest.mark.parametrize("own_labels", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradients_equal_those_at_full_resolution(
    strips, mask, kind, own_labels, smoothing, weighted
):
    block = SpatialBlock(kind, 2, "lrelu").double() if kind != "none" else torch.nn.Identity()
    vectors = text(2, LABELS) if own_labels else text(LABELS)
    weights = torch.rand(LABELS, dtype=torch.float64) if weighted else None
    leaves = inputs()
    loss = strip_cross_entropy(ours(*leaves, vectors, block), mask, 255, smoothing, weights)
    wanted = F.cross_entropy(
        plain(*leaves, vectors, block), mask, weights, ignore_index=255, label_smoothing=smoothing
    )
    torch.testing.assert_close(loss, wanted, atol=1e-12, rtol=0)
    wrt = [*leaves, *block.parameters()]
    for one, other in zip(
        torch.autograd.grad(3 * loss, wrt), torch.autograd.grad(3 * wanted, wrt), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


def test_gradcheck(strips, mask):
    """Each input is moved by itself: of the channels, a few will do."""
    vectors = text(LABELS, width=4)

    def loss(*leaves):
        return strip_cross_entropy(ours(*leaves, vectors, torch.nn.Identity()), mask, 255, 0.1)

    assert torch.autograd.gradcheck(loss, inputs(channels=2, width=4))


def test_only_what_needs_a_gradient_gets_one(strips, mask):
    x, weight, bias = inputs()
    block = SpatialBlock("depthwise", 1, "relu").double().requires_grad_(False)
    logits = ours(x.detach(), weight, bias.detach(), text(LABELS), block)
    strip_cross_entropy(logits, mask, 255).backward()
    assert weight.grad.abs().max() > 0
    assert block.conv.weight.grad is None
    with torch.no_grad():
        assert not strip_cross_entropy(logits, mask, 255).requires_grad


@pytest.mark.parametrize("weights", [None, torch.ones(LABELS, dtype=torch.float64)])
def test_a_batch_without_labelled_pixels_has_loss_zero_and_gradients_zero(weights):
    leaves = inputs()
    logits = ours(*leaves, text(LABELS), torch.nn.Identity())
    loss = strip_cross_entropy(logits, torch.full((2, *SIZE), 255), 255, 0.1, weights)
    loss.backward()
    assert loss.item() == 0
    assert all(torch.equal(leaf.grad, torch.zeros_like(leaf)) for leaf in leaves)
    full = plain(*leaves, text(LABELS), torch.nn.Identity())
    assert mean_cross_entropy(full, torch.full((2, *SIZE), 255), 255, 0.1, weights).item() == 0


def test_mean_cross_entropy_equals_a_naive_one_and_ignored_pixels_do_not_count():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 4, 5))
    mask = rng.integers(0, 3, size=(2, 4, 5))
    mask[0, :2] = 255
    total, count = 0.0, 0
    for b, y, x in np.ndindex(mask.shape):
        if mask[b, y, x] != 255:
            scores = logits[b, :, y, x]
            total += np.log(np.exp(scores).sum()) - scores[mask[b, y, x]]
            count += 1
    loss = mean_cross_entropy(torch.from_numpy(logits).float(), torch.from_numpy(mask), 255)
    assert loss.item() == pytest.approx(total / count, rel=1e-5)
