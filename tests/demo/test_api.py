import json
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from pycocotools import mask as coco

from lseg.data.sets.shapes import CLASSES
from lseg.inference.memory import Memory
from lseg.inference.segmenter import Segmenter

CLIENTS = 20


def patient(url):
    """A client for a busy machine: the default gives up after five seconds."""
    return Client(url, verbose=False, httpx_kwargs={"timeout": 120})


@pytest.fixture(scope="module")
def client(url):
    return patient(url)


def test_segment_gives_map_overlay_shares_and_masks(client, model, shapes):
    path, labels = shapes(1, 200)
    label_map, overlay, answer = client.predict(
        handle_file(path), ", ".join(labels), True, 0.5, api_name="/segment"
    )
    segmenter = Segmenter(model)
    segmenter.set_image(path)
    expected = segmenter.segment([*labels, "other"])
    found = np.asarray(Image.open(label_map))
    np.testing.assert_array_equal(found, expected.label_map)
    np.testing.assert_array_equal(
        np.asarray(Image.open(overlay)), np.asarray(expected.overlay(0.5))
    )
    assert [entry["label"] for entry in answer["labels"]] == [*labels, "other"]
    assert sum(entry["share"] for entry in answer["labels"]) == pytest.approx(1)
    for entry in answer["masks"]:
        index = expected.labels.index(entry["label"])
        np.testing.assert_array_equal(coco.decode(entry["segmentation"]), found == index)


def test_embed_gives_a_file_of_unit_vectors(client, model, shapes):
    path, _ = shapes(2)
    file = client.predict(handle_file(path), 20, 30, "float32", True, api_name="/embed")
    found = np.load(file)
    assert found.shape == (model.config.embed_dim, 20, 30)
    np.testing.assert_array_equal(found, Segmenter(model).embed(path, (20, 30), "float32"))


def test_a_memory_is_taught_asked_taken_away_and_forgotten(client, url, model, shapes, tmp_path):
    path, labels = shapes(1, 300)  # larger than what a page shows
    question = (handle_file(path), f"{labels[0]}, gadget", False, 0.5)
    box = {"box": [150, 0, 300, 150]}
    key, counts = client.predict(handle_file(path), "gadget", box, "", api_name="/teach")
    assert counts == {"gadget": 1}
    marks = {"strokes": [[[20, 20], [60, 40]]], "width": 12}
    again, counts = patient(url).predict(
        handle_file(shapes(2)[0]), "gadget", marks, key, api_name="/teach"
    )  # whoever has the key
    assert (again, counts) == (key, {"gadget": 2})

    file = tmp_path / "memory.safetensors"
    file.write_bytes(Path(client.predict(key, api_name="/memory")).read_bytes())
    segmenter = Segmenter(model, memory=Memory.load(file, model))
    segmenter.set_image(path)
    expected = segmenter.segment([labels[0], "gadget"])
    found = np.asarray(Image.open(client.predict(*question, key, api_name="/segment")[0]))
    np.testing.assert_array_equal(found, expected.label_map)
    plain = np.asarray(Image.open(client.predict(*question, api_name="/segment")[0]))
    assert (plain != found).mean() > 0.05

    assert client.predict(key, "gadget", api_name="/forget") == {}
    found = np.asarray(Image.open(client.predict(*question, key, api_name="/segment")[0]))
    np.testing.assert_array_equal(found, plain)


def test_only_keys_that_were_given_out_open_a_memory(client, service, shapes, tmp_path):
    picture = handle_file(shapes(1)[0])
    before = len(service.visitors)
    for key in ("mine", str(tmp_path / "memory.safetensors"), "../memory", ["a"]):
        with pytest.raises(AppError, match="no such memory"):
            client.predict(picture, "red circle", True, 0.5, key, api_name="/segment")
        with pytest.raises(AppError, match="no such memory"):
            client.predict(picture, "a", {"points": [[1, 2]]}, key, api_name="/teach")
        with pytest.raises(AppError, match="no such memory"):
            client.predict(key, api_name="/memory")
    with pytest.raises(AppError, match="mark 1 to 1000"):
        client.predict(picture, "a", {"points": [[1, 2]] * 1001}, "", api_name="/teach")
    with pytest.raises(AppError, match="&lt;b&gt;"):
        client.predict(picture, "<b>a,b", {"points": [[1, 2]]}, "", api_name="/teach")
    assert len(service.visitors) <= before  # others may be forgotten meanwhile


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("", True, 0.5), "no label yet"),
        (("<b>a</b>, <b>a</b>", True, 0.5), "&lt;b&gt;a"),
        (("a", True, "x"), "opacity is 'x'"),
        (("a", True, None), "opacity is None"),
        ((["a"], True, 0.5), "must be a text"),
    ],
)
def test_a_wrong_question_has_a_clear_answer(client, shapes, values, words):
    with pytest.raises(AppError, match=words) as caught:
        client.predict(handle_file(shapes(1)[0]), *values, api_name="/segment")
    assert "<b>" not in str(caught.value)


def test_what_is_no_picture_has_a_clear_answer(client, tmp_path):
    file = tmp_path / "a.png"
    file.write_text("text")
    with pytest.raises(AppError, match="no picture that can be read"):
        client.predict(handle_file(file), "a", True, 0.5, api_name="/segment")
    Image.new("RGB", (1001, 1000)).save(file)
    with pytest.raises(AppError, match="1001 x 1000 pixels"):
        client.predict(handle_file(file), 0, 0, "float16", True, api_name="/embed")


def test_twenty_clients_at_once_each_get_their_own_answer(url, model, service, shapes):
    """More pictures than the cache holds, each asked about twice with different labels."""
    pictures = [shapes(100 + number, 96 + 8 * number) for number in range(CLIENTS)]
    rng = np.random.default_rng(0)
    questions = [
        [[*labels, str(rng.choice([name for name in CLASSES if name not in labels]))] for _ in "ab"]
        for _, labels in pictures
    ]

    def visit(number):
        client = patient(url)
        return [
            client.predict(
                handle_file(pictures[number][0]), ",".join(labels), True, 0.5, api_name="/segment"
            )
            for labels in questions[number]
        ]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(visit, range(CLIENTS)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    segmenter = Segmenter(model)
    for (path, _), asked, given in zip(pictures, questions, answers, strict=True):
        segmenter.set_image(path)
        for labels, (label_map, _, answer) in zip(asked, given, strict=True):
            expected = segmenter.segment([*labels, "other"])
            assert [entry["label"] for entry in answer["labels"]] == expected.labels
            np.testing.assert_array_equal(np.asarray(Image.open(label_map)), expected.label_map)
    assert service.pictures.nbytes <= service.limits.cache_bytes
    assert len(service.pictures) < CLIENTS
    assert grown < 300 * 1024  # KiB, clients included


def test_the_example_script_works(url, shapes, tmp_path):
    script = Path(__file__).parents[2] / "demo" / "client.py"
    path, labels = shapes(5)
    where = ["--url", url, "--out", tmp_path / "answers"]
    done = subprocess.run(
        [sys.executable, script, path, "--labels", ",".join(labels), *where],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "answers").iterdir()} == {
        "label_map.png", "overlay.png", "answer.json", "embeddings.npy"
    }  # fmt: skip
    answer = json.loads((tmp_path / "answers" / "answer.json").read_text())
    assert [entry["label"] for entry in answer["labels"]] == [*labels, "other"]
    assert all(label in done.stdout for label in labels)
