"""Synonyms, `other` and thresholds, asked of pictures."""

import numpy as np
import pytest
import torch
from conv_network import NAMES

from lseg.inference.segmenter import Segmenter
from lseg.inference.sliding import WindowGrid, sliding_maps
from lseg.inference.views import InferenceConfig, image_logits
from lseg.models.maps import all_logits
from lseg.models.upsample import upsample
from lseg.text.asking import Asking
from lseg.text.other import Threshold, Vocabulary
from lseg.text.question import Pool, Question

EACH = Asking("max")


@pytest.fixture
def image(picture):
    return picture(96, 80).permute(1, 2, 0).numpy()


def logits_of(segmenter, encoded, labels):
    """Of single labels, at the network's own resolution, by the plain formula."""
    pixels = encoded.embeddings.dense()
    vectors = segmenter.model.encode_labels(labels)
    cosines = torch.einsum("nc,bchw->bnhw", vectors, pixels) / pixels.norm(dim=1, keepdim=True)
    return cosines / 0.07


def brought_up(segmentation, encoded, half):
    height, width = encoded.size
    shown = upsample(half, encoded.padded)[..., :height, :width]
    return upsample(shown, (segmentation.image.height, segmentation.image.width))[0].numpy()


@torch.inference_mode()
def test_the_largest_synonym_is_the_label_s_score(model, image):
    segmenter = Segmenter(model, asking=EACH)
    segmenter.set_image(image)
    encoded = segmenter.encode(image)
    found = segmenter.segment(["sky|car", "road|tree"])
    sky, car, road, tree = logits_of(segmenter, encoded, ["sky", "car", "road", "tree"]).unbind(1)
    half = torch.stack([torch.maximum(sky, car), torch.maximum(road, tree)], dim=1)
    wanted = brought_up(found, encoded, half)
    assert found.labels == ["sky|car", "road|tree"]
    for x, y in [(0, 0), (41, 33), (79, 95)]:
        np.testing.assert_allclose(found.logits_at(x, y), wanted[:, y, x], atol=1e-4)
    np.testing.assert_allclose(found.scores, torch.tensor(wanted).softmax(0), atol=1e-4)
    mean = Segmenter(model).segment_encoded(encoded, ["sky|car", "road|tree"])
    assert (mean.label_map != found.label_map).any()


@torch.inference_mode()
@pytest.mark.parametrize("summed", [False, True])
def test_other_is_where_the_rest_of_the_vocabulary_is_better(model, image, summed):
    asking = Asking(other=Vocabulary(("tree", "car", "road"), 0.999, summed, margin=0.5))
    segmenter = Segmenter(model, asking=asking)
    encoded = segmenter.encode(image)
    found = segmenter.segment_encoded(encoded, "sky,other,road")
    sky, road, tree, car = logits_of(segmenter, encoded, ["sky", "road", "tree", "car"]).unbind(1)
    rest = (torch.logaddexp if summed else torch.maximum)(tree, car) - 0.5
    wanted = brought_up(found, encoded, torch.stack([sky, rest, road], dim=1))
    assert (found.label_map == wanted.argmax(0)).mean() > 0.999
    assert set(np.unique(found.label_map)) == {0, 1, 2}


def test_a_threshold_is_on_the_probability_at_the_picture_s_own_size(model, image):
    labels = ["sky", "road", "tree"]
    plain = Segmenter(model)
    plain.set_image(image)
    scores = plain.segment(labels).scores
    below = float(np.median(scores.max(0)))
    unsure = Segmenter(model, asking=Asking(other=Threshold(below)))
    unsure.set_image(image)
    found = unsure.segment([*labels, "other"])
    wanted = np.where(scores.max(0) < below, 3, scores.argmax(0))
    assert (found.label_map == wanted).mean() > 0.999
    assert found.shares["other"] == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(found.scores.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        InferenceConfig(64),
        InferenceConfig(64, (0.75, 1.0), flip=True),
        InferenceConfig(64, window=48),
    ],
)
def test_views_agree_on_the_largest(model, picture, config):
    """A class asked by the same vector twice is asked by it once."""
    vectors = model.encode_labels(NAMES[:3])
    twice = torch.stack([vectors[0], vectors[0], vectors[1], vectors[2]])
    question = Question(("a", "b", "c"), twice, (Pool(2), Pool(), Pool()))
    image = picture(70, 100)
    wanted = image_logits(model, image, vectors, config)
    torch.testing.assert_close(
        image_logits(model, image, question, config), wanted, atol=1e-4, rtol=0
    )


def test_windows_of_a_question_have_its_classes(model, picture):
    question = EACH.question(model.text, ["sky|car", "road"])
    grid = WindowGrid.inside(70, 101, 48, 2 / 3)
    maps = sliding_maps(model, picture(70, 101), question, grid)
    assert maps.labels == 2
    assert all_logits(maps).shape == (1, 2, 70, 101)


def test_a_question_can_be_asked_of_many_pictures(model, picture):
    segmenter = Segmenter(model, asking=EACH)
    question = segmenter.question("sky|car, road")
    for size in ((64, 80), (50, 41)):
        segmenter.set_image(picture(*size).permute(1, 2, 0).numpy())
        found, again = segmenter.segment(question), segmenter.segment("sky|car, road")
        assert np.array_equal(found.label_map, again.label_map)
        assert found.labels == ["sky|car", "road"]
