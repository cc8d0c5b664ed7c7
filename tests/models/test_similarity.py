import numpy as np
import pytest
import torch

from lseg.models.similarity import label_logits


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
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


@pytest.mark.parametrize("scale", [1 / 0.07, 1.0, 100.0])
@pytest.mark.parametrize("count", [1, 5])
def test_shared_labels_against_numpy(scale, count):
    embeddings, text = 3 * torch.randn(2, 16, 3, 4), unit(count, 16)
    logits = label_logits(embeddings, text, scale)
    assert logits.shape == (2, count, 3, 4)
    assert logits.dtype == torch.float32
    for image in range(2):
        expected = cosine(embeddings[image], text, scale)
        np.testing.assert_allclose(logits[image].numpy(), expected, atol=1e-5 * scale)


def test_labels_of_each_image_against_numpy():
    embeddings, text = torch.randn(3, 16, 3, 4), unit(3, 2, 16)
    logits = label_logits(embeddings, text, 1 / 0.07)
    assert logits.shape == (3, 2, 3, 4)
    for image in range(3):
        expected = cosine(embeddings[image], text[image], 1 / 0.07)
        np.testing.assert_allclose(logits[image].numpy(), expected, atol=1e-5)


def test_length_of_a_pixel_does_not_matter_and_the_scale_is_the_bound():
    embeddings, text = torch.randn(1, 16, 3, 4), unit(5, 16)
    embeddings[0, :, 0, 0] = 7 * text[2]
    embeddings[0, :, 0, 1] = -0.01 * text[3]
    logits = label_logits(embeddings, text, 14.0)
    torch.testing.assert_close(logits, label_logits(1000 * embeddings, text, 14.0))
    assert logits[0, 2, 0, 0].item() == pytest.approx(14.0)
    assert logits[0, 3, 0, 1].item() == pytest.approx(-14.0)
    assert logits.abs().max() <= 14.0 + 1e-4


def test_pixel_without_length_gives_zero_and_a_finite_gradient():
    embeddings = torch.randn(1, 16, 3, 4)
    embeddings[0, :, 1, 1] = 0
    embeddings.requires_grad_()
    logits = label_logits(embeddings, unit(5, 16), 1 / 0.07)
    assert torch.equal(logits[0, :, 1, 1], torch.zeros(5))
    logits.square().sum().backward()
    assert logits.isfinite().all()
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_pixels_stay_near_and_do_not_overflow(dtype):
    embeddings, text = 300 * torch.randn(1, 64, 3, 4), unit(5, 64)
    logits = label_logits(embeddings.to(dtype), text, 1 / 0.07)
    expected = label_logits(embeddings, text, 1 / 0.07)
    assert logits.isfinite().all()
    assert (logits - expected).abs().max() < 0.2


def test_arguments_are_left_alone():
    embeddings, text = torch.randn(1, 16, 3, 4), unit(5, 16)
    copies = embeddings.clone(), text.clone()
    label_logits(embeddings, text, 14.0)
    assert torch.equal(embeddings, copies[0])
    assert torch.equal(text, copies[1])
