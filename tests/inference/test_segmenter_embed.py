"""`Segmenter.embed`: sizes, norms, views."""

import numpy as np
import pytest
import torch
from drawing import draw
from two_networks import NAMES, WIDTH, model, one_model, segmenter  # noqa: F401

from lseg.errors import LSegError
from lseg.inference.segmenter import Segmenter


def test_embeddings_have_half_the_size_of_the_network_s_input(segmenter):
    embeddings = segmenter.embed(draw(64, 96))
    assert embeddings.shape == (WIDTH, 32, 48)
    assert embeddings.dtype == np.float16
    assert embeddings.flags["C_CONTIGUOUS"]
    assert segmenter.embed(draw(32, 49)).shape == (WIDTH, 32, 49)  # 64 x 98


def test_embeddings_have_unit_norm_unless_raw(model, segmenter):
    image = draw(64, 70)
    unit = segmenter.embed(image, dtype="float32")
    np.testing.assert_allclose(np.linalg.norm(unit, axis=0), 1, atol=1e-5)
    raw = segmenter.embed(image, dtype="float32", normalize=False)
    with torch.no_grad():
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
        wanted = model.encode_image(model.normalize(pixels))[0]
    np.testing.assert_allclose(raw, wanted.numpy(), atol=1e-6)
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=0), unit, atol=1e-5)


@one_model
def test_half_precision_is_the_rounded_float32(segmenter):
    image = draw(64, 70)
    full = segmenter.embed(image, dtype="float32")
    assert full.dtype == np.float32
    assert np.array_equal(segmenter.embed(image), full.astype(np.float16))


def test_the_largest_product_with_the_labels_is_the_segmentation(model, segmenter):
    image = draw(64, 96)
    segmenter.set_image(image)
    embeddings = segmenter.embed(image, (64, 96), "float32", normalize=False)
    vectors = model.encode_labels(NAMES).numpy()
    best = np.einsum("nc,chw->nhw", vectors, embeddings).argmax(0)
    agreement = (best == segmenter.segment(NAMES).label_map).mean()
    assert agreement > 0.9  # upsampling embeddings is not upsampling cosines


def test_the_size_of_embeddings_can_be_asked_for(segmenter):
    for size in [(64, 96), (20, 17)]:
        embeddings = segmenter.embed(draw(50, 71), size, "float32")
        assert embeddings.shape == (WIDTH, *size)
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=0), 1, atol=1e-5)


def test_with_flip_a_mirrored_picture_has_mirrored_embeddings(segmenter):
    image = draw(64, 96)
    embeddings = segmenter.embed(image, dtype="float32", flip=True)
    mirrored = segmenter.embed(image[:, ::-1].copy(), dtype="float32", flip=True)
    np.testing.assert_allclose(mirrored[..., ::-1], embeddings, atol=1e-4)
    assert not np.allclose(segmenter.embed(image, dtype="float32"), embeddings, atol=1e-2)


def test_embeddings_are_averaged_over_scales(segmenter):
    image = draw(64, 96)
    parts = [
        segmenter.embed(image, (32, 48), "float32", normalize=False, scales=[scale])
        for scale in (1.0, 1.5)
    ]
    both = segmenter.embed(image, (32, 48), "float32", normalize=False, scales=[1.0, 1.5])
    np.testing.assert_allclose(both, (parts[0] + parts[1]) / 2, atol=1e-5)


def test_the_order_of_the_scales_does_not_matter(segmenter):
    image = draw(64, 96)
    one = segmenter.embed(image, dtype="float32", scales=(0.5, 1.0))
    other = segmenter.embed(image, dtype="float32", scales=(1.0, 0.5))
    assert one.shape == other.shape == (WIDTH, 32, 48)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_model_in_channels_last_gives_arrays_in_the_usual_layout(model):
    model.to(memory_format=torch.channels_last)
    assert Segmenter(model).embed(draw(64, 96)).flags["C_CONTIGUOUS"]


@one_model
def test_embedding_leaves_the_current_picture_alone(segmenter):
    segmenter.set_image(draw(50, 71))
    before = segmenter.segment(NAMES).scores
    segmenter.embed(draw(40, 30, seed=1))
    assert np.array_equal(segmenter.segment(NAMES).scores, before)


@one_model
@pytest.mark.parametrize("scales", [(), (0.0,), (1.0, -1.0)])
def test_impossible_scales_of_embeddings_are_refused(segmenter, scales):
    with pytest.raises(LSegError, match="scales"):
        segmenter.embed(draw(64, 64), scales=scales)
