import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lseg.models.embeddings import AffineMap, PixelEmbeddings, merge_projections
from lseg.models.maps import all_logits
from lseg.models.norms import doubled_norms
from lseg.models.regularization import SpatialBlock
from lseg.models.similarity import PixelLogits, coarse_logits, compare
from lseg.models.upsample import double_size, row_span, upsample

NO_BLOCK = torch.nn.Identity()


def cosine(embeddings, text, scale):
    """(C, h, w) and (N, C) to (N, h, w), in float64, one pixel and label at a time."""
    pixels, vectors = embeddings.double().numpy(), text.double().numpy()
    out = np.zeros((len(vectors), *pixels.shape[1:]))
    for n, vector in enumerate(vectors):
        for y, x in np.ndindex(*pixels.shape[1:]):
            pixel = pixels[:, y, x]
            out[n, y, x] = scale * (pixel @ vector) / np.sqrt((pixel**2).sum())
    return out


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


def embeddings(channels=16, features=6, batch=2, size=(3, 4), dtype=torch.float32):
    projection = AffineMap(torch.randn(channels, features), torch.randn(channels))
    values = torch.randn(batch, features, *size)
    return PixelEmbeddings(values.to(dtype), AffineMap(*(part.to(dtype) for part in projection)))


@pytest.mark.parametrize("channels", [4, 7, 30])  # fewer than features, features + 1, more
@pytest.mark.parametrize("scale", [1 / 0.07, 1.0, 100.0])
@pytest.mark.parametrize("count", [1, 5])
def test_shared_labels_against_numpy(channels, scale, count):
    pixels, text = embeddings(channels), unit(count, channels)
    logits = all_logits(compare(pixels, text, scale, NO_BLOCK))
    assert logits.shape == (2, count, 6, 8)
    assert logits.dtype == torch.float32
    for image in range(2):
        expected = cosine(pixels.dense()[image], text, scale)
        np.testing.assert_allclose(logits[image].numpy(), expected, atol=1e-5 * scale)


def test_labels_of_each_image_against_numpy():
    pixels, text = embeddings(), unit(2, 3, 16)
    comparison = compare(pixels, text, 1 / 0.07, NO_BLOCK)
    for image in range(2):
        expected = cosine(pixels.dense()[image], text[image], 1 / 0.07)
        np.testing.assert_allclose(all_logits(comparison)[image].numpy(), expected, atol=1e-5)
        alone = all_logits(comparison.pictures(image, image + 1))
        torch.testing.assert_close(alone[0], all_logits(comparison)[image])


def test_coarse_logits_against_numpy():
    pixels, text = embeddings(), unit(5, 16)
    dense = F.conv2d(
        pixels.features, pixels.projection.weight[..., None, None], pixels.projection.bias
    )
    logits = coarse_logits(pixels, text, 1 / 0.07)
    np.testing.assert_allclose(logits[1].numpy(), cosine(dense[1], text, 1 / 0.07), atol=1e-5)


@pytest.mark.parametrize("size", [(2, 2), (2, 7), (8, 5)])
def test_norms_of_a_doubled_map_are_found_without_doubling_it(size):
    values = torch.randn(2, 9, *size, dtype=torch.float64)
    wanted = double_size(values).norm(dim=1, keepdim=True)
    torch.testing.assert_close(doubled_norms(values), wanted, atol=1e-12, rtol=0)


def test_merged_projections_are_one_after_the_other_and_follow_their_weights():
    first, second = torch.nn.Conv2d(5, 5, 1), torch.nn.Conv2d(5, 12, 1)
    x = torch.randn(1, 5, 3, 4)
    for _ in range(2):
        merged = merge_projections(first, second)
        ours = F.conv2d(x, merged.weight[..., None, None], merged.bias)
        torch.testing.assert_close(ours, second(first(x)))
        torch.nn.init.normal_(first.bias)


def test_gradients_of_the_head_equal_those_of_the_plain_formula():
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64, requires_grad=True)
    text = unit(3, 12).double()
    first, second = torch.nn.Conv2d(5, 5, 1).double(), torch.nn.Conv2d(5, 12, 1).double()
    block = SpatialBlock("bottleneck", 2, "tanh").double()
    inputs = [x, *first.parameters(), *second.parameters(), *block.parameters()]

    def ours():
        return all_logits(
            compare(PixelEmbeddings(x, merge_projections(first, second)), text, 14.0, block)
        )

    def plain():
        unit_pixels = F.normalize(second(first(double_size(x))), dim=1)
        return block(14.0 * torch.einsum("bchw,nc->bnhw", unit_pixels, text))

    towards = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad((ours() * towards).sum(), inputs),
        torch.autograd.grad((plain() * towards).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)
    assert torch.autograd.gradcheck(lambda *_: ours(), inputs)


def test_length_of_a_pixel_does_not_matter_and_the_scale_is_the_bound():
    pixels = embeddings()
    text = torch.cat([unit(3, 16), F.normalize(pixels.dense()[0, :, 0, 0], dim=0)[None]])
    logits = all_logits(compare(pixels, text, 14.0, NO_BLOCK))
    assert logits[0, 3, 0, 0].item() == pytest.approx(14.0)
    assert logits.abs().max() <= 14.0 + 1e-4
    longer = pixels.projection._replace(
        weight=1000 * pixels.projection.weight, bias=1000 * pixels.projection.bias
    )
    other = all_logits(compare(PixelEmbeddings(pixels.features, longer), text, 14.0, NO_BLOCK))
    torch.testing.assert_close(other, logits, atol=1e-4, rtol=0)


def test_pixel_without_length_gives_zero_and_a_finite_gradient():
    features = torch.randn(1, 16, 3, 4)
    features[0, :, 0, 0] = 0
    features.requires_grad_()
    projection = AffineMap(torch.eye(16), torch.zeros(16))
    pixels = PixelEmbeddings(features, projection)
    for logits in (
        all_logits(compare(pixels, unit(5, 16), 14.0, NO_BLOCK)),
        coarse_logits(pixels, unit(5, 16), 14.0),
    ):
        assert torch.equal(logits[0, :, 0, 0], torch.zeros(5))
        features.grad = None
        logits.square().sum().backward(retain_graph=True)
        assert logits.isfinite().all()
        assert features.grad.isfinite().all()


@pytest.mark.parametrize("kind", ["none", "depthwise", "bottleneck"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
@torch.no_grad()
def test_rows_are_rows_of_the_whole(kind, count):
    block = NO_BLOCK if kind == "none" else SpatialBlock(kind, 3, "lrelu")
    half = compare(embeddings(size=(5, 7)), unit(4, 16), 14.0, block)
    logits = PixelLogits(half, (32, 30), (31, 27))
    wanted = upsample(all_logits(half), (32, 30))[..., :31, :27]
    for start in range(0, 31, count):
        stop = min(start + count, 31)
        rows = logits.rows(start, stop)
        assert rows.shape == (2, 4, stop - start, 27)
        torch.testing.assert_close(rows, wanted[:, :, start:stop], atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", ["none", "depthwise", "bottleneck"])
@pytest.mark.parametrize("shape", [(7, 16), (2, 7, 16)])
@torch.no_grad()
def test_split_labels_side_by_side_are_the_whole(kind, shape):
    block = NO_BLOCK if kind == "none" else SpatialBlock(kind, 2, "lrelu")
    logits = PixelLogits(
        compare(embeddings(size=(5, 7)), unit(*shape), 14.0, block), (32, 30), (31, 27)
    )
    parts = logits.split(3)
    assert [part.labels for part in parts] == ([7] if kind == "bottleneck" else [3, 3, 1])
    found = torch.cat([all_logits(part) for part in parts], dim=1)
    torch.testing.assert_close(found, all_logits(logits), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "full"), [(5, 10), (10, 480), (480, 7), (37, 1000), (9, 9)])
def test_row_span_needs_no_row_outside_the_source(height, full):
    maps = torch.randn(1, 2, height, 6, dtype=torch.float64)
    wanted = upsample(maps, (full, 6))
    for start in range(full):
        for stop in {start + 1, min(start + 3, full), full}:
            span = row_span(start, stop, height, (full, 6))
            assert 0 <= span.first < span.last <= height
            rows = span.upsample(maps[:, :, span.first : span.last])
            torch.testing.assert_close(rows, wanted[:, :, start:stop], atol=1e-12, rtol=0)


def test_half_precision_products_are_not_taken_under_autocast():
    pixels, text = embeddings(64, 16), unit(5, 64)
    wanted = all_logits(compare(pixels, text, 14.0, SpatialBlock("depthwise", 1, "relu")))
    block = SpatialBlock("depthwise", 1, "relu")
    with torch.autocast("cpu", torch.bfloat16):
        logits = all_logits(compare(pixels, text, 14.0, block))
        plain = all_logits(compare(pixels, text, 14.0, NO_BLOCK))
    assert logits.dtype == plain.dtype == wanted.dtype == torch.float32
    exact = all_logits(compare(PixelEmbeddings(*pixels_of(pixels)), text, 14.0, NO_BLOCK))
    torch.testing.assert_close(plain, exact)


def pixels_of(pixels):
    return pixels.features, pixels.projection


def test_arguments_are_left_alone():
    pixels, text = embeddings(), unit(5, 16)
    copies = [part.clone() for part in (pixels.features, *pixels.projection, text)]
    all_logits(compare(pixels, text, 14.0, NO_BLOCK))
    for part, copy in zip((pixels.features, *pixels.projection, text), copies, strict=True):
        assert torch.equal(part, copy)


def test_norms_of_a_map_that_learns_are_those_of_its_embeddings():
    """Their values by the Gram matrix, and gradients of features, kernel and bias."""
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(2, 6, 5, 4, generator=generator, dtype=torch.float64)
    weight = torch.randn(24, 6, generator=generator, dtype=torch.float64)
    bias = torch.randn(24, generator=generator, dtype=torch.float64)
    inputs = [value.requires_grad_() for value in (features, weight, bias)]

    embeddings = torch.einsum("cf,bfhw->bchw", weight, features) + bias[:, None, None]
    expected = embeddings.square().sum(dim=1, keepdim=True).sqrt()
    norms = PixelEmbeddings(features, AffineMap(weight, bias)).coarse_norms

    torch.testing.assert_close(norms, expected)
    torch.testing.assert_close(
        torch.autograd.grad(norms.sin().sum(), inputs),
        torch.autograd.grad(expected.sin().sum(), inputs),
    )


@pytest.mark.parametrize("counts", [(3,), (1, 2)])
def test_split_gives_each_its_own_pictures(counts):
    whole = embeddings(batch=3)
    parts = whole.split(counts)
    assert [len(part.features) for part in parts] == list(counts)
    assert torch.equal(torch.cat([part.dense() for part in parts]), whole.dense())
