"""Templates, synonyms and `other` on the command line."""

import json

import numpy as np
import pytest
from drawing import draw, save_lseg
from PIL import Image

from lseg.checkpoints.load import load_model
from lseg.inference.segmenter import Segmenter
from lseg.text.asking import Asking
from lseg.text.other import Threshold, Vocabulary

WORDS = ["sky", "road", "tree", "car", "lamp"]


@pytest.fixture(scope="module")
def without_other(tmp_path_factory):
    """A model whose table has no word for the rest."""
    return save_lseg(tmp_path_factory.mktemp("model"), WORDS)


@pytest.fixture
def voc(tmp_path):
    """Two pictures whose first class is a background."""
    root = tmp_path / "voc"
    root.mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(draw(40, 56, seed=len(name))).save(root / f"{name}.png")
        mask = rng.integers(0, 3, (40, 56), dtype=np.uint8)
        Image.fromarray(mask).save(root / f"{name}.mask.png")
    (root / "classes.txt").write_text("background\nsky\nroad")
    (root / "val.txt").write_text("one.png one.mask.png\ntwo.png two.mask.png\n")
    return root


def label_map(folder, name="a"):
    return np.asarray(Image.open(folder / f"{name}.png"))


def expected(checkpoint, picture, labels, asking):
    segmenter = Segmenter(load_model(str(checkpoint)), asking=asking)
    segmenter.set_image(picture)
    return segmenter.segment(labels).label_map


@pytest.mark.parametrize(
    ("options", "asking"),
    [
        ([], Asking()),
        (["--synonyms", "max"], Asking("max")),
        (["--other", "threshold=0.6"], Asking(other=Threshold(0.6))),
        (["--other", "vocabulary=tree,lamp"], Asking(other=Vocabulary(("tree", "lamp")))),
    ],
)
def test_predict_and_query_ask_alike(options, asking, run, without_other, pictures, tmp_path):
    labels = ["--labels", "sky|car,other,road"]
    code, _, err = run(
        "predict",
        pictures,
        *labels,
        *options,
        "--checkpoint",
        without_other,
        "--out",
        tmp_path / "p",
    )
    assert code == 0, err
    wanted = expected(without_other, pictures / "a.png", "sky|car,other,road", asking)
    assert np.array_equal(label_map(tmp_path / "p"), wanted)
    assert 1 in wanted
    told = json.loads((tmp_path / "p" / "a.json").read_text())["labels"]
    assert [label["label"] for label in told] == ["sky|car", "other", "road"]
    run(
        "embed",
        pictures,
        "--checkpoint",
        without_other,
        "--out",
        tmp_path / "e",
        "--dtype",
        "float32",
    )
    code, _, err = run("query", tmp_path / "e", *labels, *options, "--out", tmp_path / "q")
    assert code == 0, err
    assert (label_map(tmp_path / "q") == wanted).mean() > 0.999


@pytest.mark.parametrize("rule", ["auto", "vocabulary", "threshold=0.9", "words=tree,lamp"])
def test_a_background_is_asked_by_a_rule(rule, run, without_other, voc, tmp_path):
    out = tmp_path / "figures.json"
    command = ["evaluate", "--dataset", "pairs", "--data-root", voc, "--checkpoint", without_other]
    code, _, err = run(*command, "--background", rule, "--out", out)
    assert code == 0, err
    figures = json.loads(out.read_text())
    assert list(figures["per_class"]) == ["background", "sky", "road"]
    assert figures["per_class"]["background"] > 0
    assert figures["options"]["other"] == rule


def test_suites_have_rules_of_their_own(run, without_other, voc, tmp_path):
    suite, out = tmp_path / "suite.yaml", tmp_path / "out.json"
    entry = {"dataset": "pairs", "data_root": str(voc)}
    rules = ("vocabulary", "threshold=0.9")
    suite.write_text(json.dumps([{**entry, "name": rule, "other": rule} for rule in rules]))
    code, _, err = run("evaluate", "--suite", suite, "--checkpoint", without_other, "--out", out)
    assert code == 0, err
    rows = json.loads(out.read_text())["rows"]
    assert rows[0]["per_class"] != rows[1]["per_class"]


def test_what_cannot_be_asked_is_refused(refused, checkpoint, without_other, data, voc, pictures):
    predict = ["predict", pictures, "--checkpoint", without_other, "--out", pictures / "out"]
    assert "rule for other" in refused(*predict, "--labels", "sky,other", "--other", "sum")
    assert "between 0 and 1" in refused(*predict, "--labels", "sky,other", "--other", "threshold=3")
    assert "'cat'" in refused(*predict, "--labels", "sky,other", "--other", "words=cat")
    assert "names no other" in refused(*predict, "--labels", "sky,road", "--other", "threshold")
    for name in ("imagenet80", "bare"):
        error = refused(*predict, "--labels", "sky,road", "--templates", name)
        assert "table.safetensors" in error and "does not tell" in error
    evaluate = ["evaluate", "--dataset", "pairs", "--checkpoint", without_other]
    error = refused(*evaluate, "--data-root", data, "--other", "vocabulary")
    assert "pairs has none" in error
    assert not (pictures / "out").exists() or not list((pictures / "out").glob("*.png"))


def test_templates_change_the_vectors_of_an_encoder(run, pictures, tmp_path):
    labels = ["--labels", "red circle,blue star,background"]
    tiny = ["--checkpoint", "tiny"]
    made = {}
    for name in ("bare", "photo"):
        out = tmp_path / name
        assert (
            run("predict", pictures / "a.png", *tiny, *labels, "--templates", name, "--out", out)[0]
            == 0
        )
        made[name] = label_map(out)
    run("predict", pictures / "a.png", *tiny, *labels, "--out", tmp_path / "own")
    assert np.array_equal(made["bare"], label_map(tmp_path / "own"))
    assert not np.array_equal(made["bare"], made["photo"])
    run("embed", pictures / "a.png", *tiny, "--out", tmp_path / "e", "--dtype", "float32")
    run("query", tmp_path / "e", *labels, "--templates", "photo", "--out", tmp_path / "q")
    assert (label_map(tmp_path / "q") == made["photo"]).mean() > 0.999
