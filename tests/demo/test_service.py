import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import lseg
from lseg.config import TextConfig
from lseg.data.sets.shapes import CLASSES
from lseg.demo.limits import Limits
from lseg.demo.service import Service
from lseg.demo.viewer import answer_message
from lseg.demo.words import RecentPrompts
from lseg.errors import ConfigError, ImageError, LabelError
from lseg.inference.segmenter import Segmenter
from lseg.text.asking import Asking
from lseg.text.encoder import LabelEncoder
from lseg.text.other import Vocabulary


def test_answers_are_those_of_a_segmenter(model, service, shapes):
    path, labels = shapes(1, 300)
    picture = service.picture(str(path))
    found = service.segment(picture.full, ", ".join(labels), True)
    segmenter = Segmenter(model)
    segmenter.set_image(path)
    expected = segmenter.segment([*labels, "other"])
    assert found.labels == expected.labels
    np.testing.assert_array_equal(found.label_map, expected.label_map)
    assert len(np.unique(found.label_map)) > 2
    np.testing.assert_allclose(found.probability(1), expected.scores[1], atol=1e-6)
    shown = service.segment(picture.shown, ", ".join(labels), True)
    assert shown.label_map.shape == (200, 200)  # the limit of what the page shows


def test_a_picture_is_encoded_once_whatever_it_is_called(service, shapes, tmp_path):
    path, _ = shapes(2)
    copy = tmp_path / "copy.png"
    copy.write_bytes(path.read_bytes())
    assert service.picture(str(path)) is service.picture(str(copy))
    other, _ = shapes(3)
    assert service.picture(str(other)) is not service.picture(str(path))


def test_the_cache_keeps_to_its_budget(model, shapes):
    one = Service(model, Limits()).picture(str(shapes(0)[0])).nbytes
    service = Service(model, Limits(cache_bytes=int(2.5 * one)))
    for seed in range(5):
        service.picture(str(shapes(seed)[0]))
    assert len(service.pictures) == 2
    assert service.pictures.nbytes == 2 * one
    tensors = service.picture(str(shapes(4)[0])).full.embeddings
    assert one >= tensors.features.nbytes + 128 * 128 * 3


def test_the_best_labels_of_a_pixel(model, service, shapes):
    path, labels = shapes(1, 300)
    picture = service.picture(str(path))
    x, y = 120, 60
    ranking = service.ranking(picture, ", ".join(labels), True, x, y)
    assert ranking.pixel == (180, 90)  # shown at 200, it is 300 wide
    shown = service.segment(picture.shown, ", ".join(labels), True)
    probabilities = shown.scores[:, y, x]
    assert [name for name, _ in ranking.labels] == [
        shown.labels[index] for index in np.argsort(-probabilities)[:5]
    ]
    np.testing.assert_allclose(
        [p for _, p in ranking.labels], np.sort(probabilities)[::-1][:5], atol=1e-5
    )
    assert {name for name, _ in ranking.vocabulary} <= {*CLASSES, "background"}
    for outside in ((200, 0), (0, 200), (-1, 0)):
        with pytest.raises(ImageError, match="no pixel"):
            service.ranking(picture, "red circle", True, *outside)


def test_embeddings_are_those_of_a_segmenter(model, service, shapes):
    path, _ = shapes(4)
    own = service.embed(str(path), (0, 0), "float16", True)
    np.testing.assert_array_equal(own, Segmenter(model).embed(path))
    assert service.embed(str(path), (9, 7), "float32", False).shape == (own.shape[0], 9, 7)
    for size in ((0, 5), (481, 5), (-1, 3)):
        with pytest.raises(ConfigError, match="height and width"):
            service.embed(str(path), size, "float16", True)
    with pytest.raises(ConfigError, match="float16 or float32"):
        service.embed(str(path), (0, 0), "object", True)


def test_a_long_strip_needs_a_size(service, tmp_path):
    Image.new("RGB", (400, 40)).save(tmp_path / "strip.png")
    with pytest.raises(ConfigError, match="10 times as long as wide"):
        service.embed(str(tmp_path / "strip.png"), (0, 0), "float16", True)
    assert service.embed(str(tmp_path / "strip.png"), (4, 40), "float16", True).shape[1:] == (4, 40)


def test_prompts_are_forgotten_and_nothing_is_written(model, cache_folder):
    files = set(cache_folder.rglob("*"))
    prompts = RecentPrompts(model.text.source, 3)
    encoder = LabelEncoder(model.config.text, model.config.embed_dim, prompts)
    first = encoder.encode(["red circle", "blue star"])
    encoder.encode([f"thing {number}" for number in range(10)])
    assert len(prompts) == 3
    again = LabelEncoder(model.config.text, model.config.embed_dim, prompts)
    torch.testing.assert_close(again.encode(["red circle", "blue star"]), first)
    torch.testing.assert_close(first, model.encode_labels(["red circle", "blue star"]))
    new = {file for file in cache_folder.rglob("*") if file.is_file()} - files
    assert len(new) <= 2  # those of the last line, by the model itself


def test_a_table_of_label_vectors_gives_the_vocabulary(table_service, shapes):
    service = table_service
    assert service.words.vocabulary == [*CLASSES, "background"]
    picture = service.picture(str(shapes(1)[0]))
    assert service.segment(picture.full, "red circle, background", False).label_map.any()
    with pytest.raises(LabelError, match=rf"'blue car' is not among the {len(CLASSES) + 1} of"):
        service.segment(picture.full, "blue car", False)


def test_a_table_answers_in_any_spelling_and_says_so(table_service, shapes, recwarn):
    service = table_service
    picture = service.picture(str(shapes(1)[0]))
    plain = service.segment(picture.full, "red circle, background", False)
    found = service.segment(picture.full, "Red-Circles, background", False)
    assert plain.notes == []
    assert found.notes == ['"Red-Circles" answered as "red circle"']
    assert np.array_equal(found.label_map, plain.label_map)
    assert found.labels == ["Red-Circles", "background"]
    assert answer_message(found, "key")["notes"] == found.notes
    assert not recwarn.list  # a server's log is not to hold what visitors type
    assert service.knows(["The red circle", "blue star"])
    assert not service.knows(["blue star", "unicorn"])


def test_a_grey_picture_with_transparency(service, tmp_path):
    path = tmp_path / "grey.png"
    Image.new("LA", (40, 50), (100, 128)).save(path)
    assert service.picture(str(path)).full.image.size == (40, 50)


def test_other_needs_no_vector(model, shapes, tmp_path):
    path, labels = shapes(1)
    table = tmp_path / "table.safetensors"
    save_file({"embeddings": model.encode_labels(CLASSES)}, table, {"labels": json.dumps(CLASSES)})
    known = lseg.load_model("tiny")
    known.text = LabelEncoder(TextConfig(table=str(table)), known.config.embed_dim)
    service = Service(known, Limits(), asking=Asking(other=Vocabulary(near=0.99, margin=0)))
    picture = service.picture(str(path))
    assert not service.knows(["background"])
    found = service.segment(picture.full, labels[0], True)
    assert found.labels == [labels[0], "other"]
    rest = [label for label in labels[1:] if label not in labels[0]]
    whole = service.segment(picture.full, ", ".join(labels), False)
    others = np.isin(whole.label_map, [whole.labels.index(label) for label in rest])
    assert (found.label_map[others] == 1).mean() > 0.9
    ranking = service.ranking(picture, labels[0], True, 5, 5)
    assert {name for name, _ in ranking.labels} == {labels[0], "other"}
