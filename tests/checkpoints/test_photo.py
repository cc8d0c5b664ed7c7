"""The embedded model for photographs."""

import json

import pytest

import lseg
from lseg.cli import main
from lseg.paths import ASSETS
from lseg.text.vocabulary import vocabulary

PHOTOS = ASSETS / "photos"


@pytest.fixture(scope="module")
def segmenter():
    return lseg.Segmenter.from_pretrained("photo")


def test_it_is_small_and_says_where_it_is_from(segmenter):
    folder = ASSETS / "photo"
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 14e6
    assert "CLIP" in (folder / "NOTICE").read_text()
    assert "bad at" in (folder / "README.md").read_text()
    assert len(vocabulary(segmenter.model.text)) >= 360
    assert "cat" in segmenter.model.config.labels


@pytest.mark.parametrize(
    ("photo", "labels", "shown", "share"),
    [
        ("chelsea.jpg", ["cat", "tree", "car", "other"], "cat", 0.5),
        ("astronaut.jpg", ["person", "sea", "dog"], "person", 0.3),
        ("rocket.jpg", ["sky", "road", "cat"], "sky", 0.6),
    ],
)
def test_it_sees_what_a_photograph_shows(segmenter, photo, labels, shown, share):
    segmenter.set_image(PHOTOS / photo)
    assert segmenter.segment(labels).shares[shown] > share


def test_it_answers_by_default_and_without_a_network(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    picture = str(PHOTOS / "chelsea.jpg")
    assert main(["predict", picture, "--labels", "cats, wall, other", "--out", str(tmp_path)]) == 0
    told = json.loads((tmp_path / "chelsea.json").read_text())
    assert [entry["label"] for entry in told["labels"]] == ["cats", "wall", "other"]
    assert '"cats" answered as "cat"' in capsys.readouterr().err
