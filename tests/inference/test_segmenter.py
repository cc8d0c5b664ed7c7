"""`Segmenter.segment`: one picture, any labels, at the picture's own size."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawing import draw
from PIL import Image
from pycocotools import mask as coco
from two_networks import NAMES, WIDTH, model, one_model, segmenter  # noqa: F401

from lseg.errors import ImageError, LabelError
from lseg.inference.segmenter import Segmenter
from lseg.inference.views import InferenceConfig


@pytest.mark.parametrize("size", [(64, 96), (37, 51), (101, 75), (20, 33)])
def test_answers_have_the_picture_s_own_size(segmenter, size):
    segmenter.set_image(draw(*size))
    result = segmenter.segment(NAMES)
    assert result.labels == NAMES
    assert result.label_map.shape == size
    assert result.label_map.dtype == np.uint8
    assert result.scores.shape == (5, *size)
    assert result.scores.dtype == np.float32
    np.testing.assert_allclose(result.scores.sum(0), 1, atol=1e-5)
    assert np.array_equal(result.scores.argmax(0), result.label_map)
    assert len(np.unique(result.label_map)) > 1


def test_other_labels_later_give_what_a_fresh_segmenter_gives(model, segmenter):
    segmenter.set_image(draw(50, 71))
    segmenter.segment(["sky", "road"])
    again = segmenter.segment(["car", "tree", "other"])
    fresh = Segmenter(model)
    fresh.set_image(draw(50, 71))
    wanted = fresh.segment(["car", "tree", "other"])
    assert np.array_equal(again.scores, wanted.scores)
    assert np.array_equal(again.label_map, wanted.label_map)


def test_a_result_outlives_the_next_picture(segmenter):
    segmenter.set_image(draw(50, 71))
    first = segmenter.segment(NAMES)
    segmenter.set_image(draw(40, 30, seed=1))
    segmenter.segment(NAMES)
    assert first.label_map.shape == (50, 71)
    segmenter.set_image(draw(50, 71))
    assert np.array_equal(first.scores, segmenter.segment(NAMES).scores)


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (64, 91)])
def test_a_picture_of_the_network_s_size_gets_the_network_s_own_softmax(model, segmenter, size):
    image = draw(*size)
    segmenter.set_image(image)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    logits = model(model.normalize(pixels), NAMES)[0]
    torch.testing.assert_close(torch.from_numpy(segmenter.segment(NAMES).scores), logits.softmax(0))


@torch.no_grad()
def test_size_zero_never_resizes(model):
    image = draw(45, 70)
    segmenter = Segmenter(model, size=0)
    segmenter.set_image(image)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    logits = model(model.normalize(pixels), NAMES)[0]
    torch.testing.assert_close(torch.from_numpy(segmenter.segment(NAMES).scores), logits.softmax(0))


@one_model
def test_path_pillow_image_and_array_are_the_same_picture(segmenter, tmp_path):
    array = draw(50, 71)
    Image.fromarray(array).save(tmp_path / "picture.png")
    sources = [array, Image.fromarray(array), tmp_path / "picture.png"]
    maps = []
    for source in [*sources, str(tmp_path / "picture.png")]:
        segmenter.set_image(source)
        maps.append(segmenter.segment(NAMES).label_map)
    assert all(np.array_equal(maps[0], other) for other in maps[1:])


@pytest.mark.parametrize("as_path", [True, False])
def test_exif_rotation_is_honoured(segmenter, tmp_path, as_path):
    array = draw(40, 70)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    path = tmp_path / "turned.png"
    Image.fromarray(array).save(path, exif=exif)
    source = path if as_path else Image.open(path)
    segmenter.set_image(source)
    turned = segmenter.segment(NAMES)
    segmenter.set_image(np.rot90(array, -1).copy())
    assert turned.label_map.shape == (70, 40)
    assert np.array_equal(turned.scores, segmenter.segment(NAMES).scores)
    assert segmenter.embed(source).shape == segmenter.embed(np.rot90(array, -1).copy()).shape


def test_label_vectors_are_taken_as_they_are(model, segmenter):
    segmenter.set_image(draw(50, 71))
    vectors = model.encode_labels(NAMES)
    wanted = segmenter.segment(NAMES)
    unnamed, named = segmenter.segment(vectors), segmenter.segment(vectors, NAMES)
    assert unnamed.labels == ["0", "1", "2", "3", "4"]
    assert named.labels == NAMES
    for result in (unnamed, named):
        assert np.array_equal(result.scores, wanted.scores)


@one_model
def test_labels_between_commas_are_a_list(segmenter):
    segmenter.set_image(draw(50, 71))
    result = segmenter.segment(" sky, tree ,other")
    assert result.labels == ["sky", "tree", "other"]
    assert np.array_equal(result.scores, segmenter.segment(["sky", "tree", "other"]).scores)


@one_model
def test_shares_sum_to_one_and_count_pixels(segmenter):
    segmenter.set_image(draw(50, 71))
    result = segmenter.segment(NAMES)
    assert sum(result.shares.values()) == pytest.approx(1)
    for index, name in enumerate(NAMES):
        assert result.shares[name] == pytest.approx((result.label_map == index).mean())


@one_model
def test_coco_masks_decode_to_the_label_map(segmenter):
    segmenter.set_image(draw(37, 51))
    result = segmenter.segment(NAMES)
    entries = json.loads(json.dumps(result.to_coco_rle()))
    rebuilt = np.full((37, 51), 255)
    for entry in entries:
        mask = coco.decode(entry["segmentation"]).astype(bool)
        assert (rebuilt[mask] == 255).all()
        rebuilt[mask] = NAMES.index(entry["label"])
        assert entry["area"] == mask.sum()
        rows, columns = np.nonzero(mask)
        x, y, width, height = entry["bbox"]
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
    assert np.array_equal(rebuilt, result.label_map)


@one_model
@pytest.mark.parametrize("suffix", ["", ".png", ".json"])
def test_save_writes_label_map_overlay_and_json(segmenter, tmp_path, suffix):
    segmenter.set_image(draw(37, 51))
    result = segmenter.segment(NAMES)
    result.save(tmp_path / "out" / f"my.picture{suffix}" if suffix else tmp_path / "out" / "my")
    stem = "my.picture" if suffix else "my"
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [f"{stem}.json", f"{stem}.overlay.png", f"{stem}.png"]
    label_map = Image.open(tmp_path / "out" / f"{stem}.png")
    assert label_map.mode == "L"
    assert np.array_equal(np.asarray(label_map), result.label_map)
    overlay = Image.open(tmp_path / "out" / f"{stem}.overlay.png")
    assert overlay.width >= 51
    assert overlay.height > 37
    values = json.loads((tmp_path / "out" / f"{stem}.json").read_text())
    assert (values["width"], values["height"]) == (51, 37)
    assert [entry["label"] for entry in values["labels"]] == NAMES
    assert [entry["index"] for entry in values["labels"]] == list(range(5))
    assert values["labels"][4]["color"] == [128, 128, 128]  # other


@one_model
def test_more_than_256_labels_are_saved_with_16_bits(segmenter, tmp_path):
    segmenter.set_image(draw(37, 51))
    vectors = torch.nn.functional.normalize(torch.randn(300, WIDTH), dim=-1)
    result = segmenter.segment(vectors)
    assert result.label_map.max() > 255
    result.save(tmp_path / "many.png")
    label_map = Image.open(tmp_path / "many.png")
    assert label_map.mode == "I;16"
    assert np.array_equal(np.asarray(label_map), result.label_map)


def test_from_pretrained_gives_what_the_saved_model_gives(model, segmenter, tmp_path):
    model.save_pretrained(tmp_path / "saved")
    loaded = Segmenter.from_pretrained(tmp_path / "saved")
    for each in (segmenter, loaded):
        each.set_image(draw(50, 71))
    wanted = segmenter.segment(NAMES).scores
    assert np.array_equal(loaded.segment(NAMES).scores, wanted)


@one_model
def test_a_model_in_training_mode_is_put_into_eval_mode(model):
    Segmenter(model.train())
    assert not model.training


@one_model
def test_no_picture_is_an_error_that_says_what_to_do(segmenter):
    with pytest.raises(ImageError, match="set_image"):
        segmenter.segment(["sky"])


@one_model
@pytest.mark.parametrize("labels", [[], "", " , ", ["", " "], ["sky", "sky"]])
def test_label_sets_that_are_empty_or_name_a_label_twice_are_refused(segmenter, labels):
    segmenter.set_image(draw(50, 71))
    with pytest.raises(LabelError):
        segmenter.segment(labels)


@one_model
def test_a_label_that_the_table_lacks_is_named_with_the_closest(segmenter):
    segmenter.set_image(draw(50, 71))
    with pytest.raises(LabelError, match=r"'raod'.*road"):
        segmenter.segment(["sky", "raod"])


@one_model
@pytest.mark.parametrize("shape", [(3, WIDTH + 1), (WIDTH,), (0, WIDTH), (1, 3, WIDTH)])
def test_label_vectors_of_another_shape_are_refused(segmenter, shape):
    segmenter.set_image(draw(50, 71))
    with pytest.raises(LabelError):
        segmenter.segment(torch.ones(shape)).label_map.shape  # noqa: B018


@one_model
@pytest.mark.parametrize("names", [["sky"], ["sky", "road", "tree"], ["sky", "sky"]])
def test_names_that_do_not_fit_the_vectors_are_refused(segmenter, names):
    segmenter.set_image(draw(50, 71))
    with pytest.raises(LabelError):
        segmenter.segment(torch.ones(2, WIDTH), names)


@one_model
def test_pictures_that_cannot_be_read_are_refused(segmenter, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    bad = [tmp_path / "none.png", tmp_path / "broken.png", np.zeros((3, 64, 64), np.uint8), None]
    for source in bad:
        with pytest.raises(ImageError):
            segmenter.set_image(source)
        with pytest.raises(ImageError):
            segmenter.embed(source)


@one_model
def test_outlines_are_followed_where_asked_for_or_where_the_model_says_so(model):
    image = draw(96, 80)
    labels = ["sky", "road", "tree"]
    plain, outlined = Segmenter(model), Segmenter(model, guided=True)
    for one in (plain, outlined):
        one.set_image(image)
    exact = plain.segment(labels).scores
    found = outlined.segment(labels).scores
    assert np.abs(found - exact).max() > 0.01
    views = InferenceConfig(flip=False)
    same = outlined.segment_image(image, labels, views).scores
    np.testing.assert_allclose(found, same, atol=1e-4)
    preprocessing = replace(model.config.preprocessing, guided=True)
    model.config = replace(model.config, preprocessing=preprocessing)
    named = Segmenter(model)
    named.set_image(image)
    np.testing.assert_allclose(named.segment(labels).scores, found, atol=1e-5)
