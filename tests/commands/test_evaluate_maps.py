"""`lseg evaluate` without a model: label maps made elsewhere, and two tables compared."""

import json

import numpy as np
import pytest
from PIL import Image

from lseg.checkpoints.load import load_model
from lseg.commands import model_table
from lseg.inference.segmenter import Segmenter

CLASSES = ["sky", "road", "tree"]


@pytest.fixture
def evaluate(run, data):
    """Runs the command on the pairs folder; what it wrote and printed."""

    def call(name, *more):
        out = data.parent / f"{name}.json"
        options = ("--dataset", "pairs", "--data-root", data)
        code, printed, err = run("evaluate", *options, "--out", out, *more)
        assert code == 0, err
        return json.loads(out.read_text()), printed

    return call


@pytest.fixture
def maps(checkpoint, data):
    """What the model says, as `lseg predict` would have it."""
    folder = data.parent / "maps"
    segmenter = Segmenter(load_model(checkpoint))
    for name in ("one", "two"):
        segmenter.set_image(data / f"{name}.png")
        segmenter.segment(CLASSES).save(folder / name)
    return folder


FIGURES = ("miou", "miou_interval", "pixel_accuracy", "mean_accuracy", "fw_iou", "per_class")


def test_maps_get_the_figures_of_the_model_that_made_them(evaluate, maps, checkpoint, monkeypatch):
    wanted, _ = evaluate("model", "--checkpoint", checkpoint)
    monkeypatch.setattr(model_table, "model_from", None)  # no model is loaded
    found, printed = evaluate("maps", "--predictions", maps)
    for key in (*FIGURES, "pictures", "protocol", "classes", "areas"):
        assert found[key] == wanted[key], key
    assert found["warnings"] == []
    assert "warning" not in printed
    assert found["options"]["predictions"] == str(maps)
    assert list(found)[-1] == "areas"


def test_predictions_of_lseg_predict_in_one_coco_file_are_judged_alike(
    evaluate, maps, run, data, checkpoint
):
    (data / "one.mask.png").rename(data / "masks_one.png")
    (data / "two.mask.png").rename(data / "masks_two.png")
    (data / "val.txt").write_text("one.png masks_one.png\ntwo.png masks_two.png\n")
    folder = data.parent / "coco"
    pictures = [data / "one.png", data / "two.png"]
    code, _, err = run(
        "predict", *pictures, "--labels", "tree,sky,road", "--checkpoint", checkpoint,
        "--format", "coco", "--out", folder,
    )  # fmt: skip
    assert code == 0, err
    coco, _ = evaluate("coco", "--predictions", folder)
    files, _ = evaluate("files", "--predictions", maps)
    assert coco["warnings"] == []
    assert [coco[key] for key in FIGURES] == [files[key] for key in FIGURES]


def test_what_is_wrong_is_printed_and_written(evaluate, maps):
    (maps / "two.png").unlink()
    found, printed = evaluate("maps", "--predictions", maps, "--claimed", "99.9")
    assert [said.split()[0] for said in found["warnings"]] == ["missing:", "the"]
    assert "warning: missing: 1 of 2 pictures" in printed
    assert "99.9 in --claimed does not follow" in printed


@pytest.fixture
def tables(evaluate, maps, data):
    """Tables of the model's maps, and of others."""
    evaluate("a", "--predictions", maps)
    other = data.parent / "other"
    other.mkdir()
    for name in ("one", "two"):
        values = np.random.default_rng(0).integers(0, 3, (40, 56), dtype=np.uint8)
        Image.fromarray(values).save(other / f"{name}.png")
    evaluate("b", "--predictions", other)
    return data.parent / "a.json", data.parent / "b.json"


def test_two_tables_are_compared(run, tables, tmp_path):
    mious = [json.loads(path.read_text())["miou"] for path in tables]
    code, printed, err = run("evaluate", "--compare", *tables, "--out", tmp_path / "c.json")
    assert code == 0, err
    found = json.loads((tmp_path / "c.json").read_text())
    assert found["miou"] == mious
    assert found["difference"] == mious[0] - mious[1]
    assert found["interval"][0] <= found["difference"] <= found["interval"][1]
    assert f"= {found['difference']:+.2f}, 95 % interval" in printed
    assert "tree" in printed


def test_tables_that_cannot_be_compared_are_refused(refused, tables, evaluate, maps):
    evaluate("train", "--split", "train", "--predictions", maps)
    said = refused("evaluate", "--compare", tables[0], tables[0].with_name("train.json"))
    assert "cannot be compared: their split is 'val' and 'train'" in said
    assert "takes two tables" in refused("evaluate", "--compare", tables[0])
    assert "cannot be read" in refused("evaluate", "--compare", tables[0], "nowhere.json")


def test_options_that_do_not_go_together_are_refused(refused, tables, maps):
    assert "needs --dataset" in refused("evaluate", "--predictions", maps)
    assert "do not go together" in refused("evaluate", "--suite", "x", "--compare", *tables)
    assert "--predictions" in refused("evaluate", "--dataset", "pairs", "--claimed", "3")
    assert "--suite" in refused("evaluate", "--dataset", "pairs", "--models", "tiny")
    assert "--dataset does not go" in refused(
        "evaluate", "--dataset", "pairs", "--compare", *tables
    )


def test_absent_predictions_are_refused(refused, data, tmp_path):
    said = refused(
        "evaluate", "--dataset", "pairs", "--data-root", data, "--predictions", tmp_path / "none"
    )
    assert "there is no folder" in said


@pytest.mark.parametrize("impossible", ["n" * 300, "a\0b"], ids=["long", "null"])
def test_no_text_in_the_place_of_a_path_is_a_traceback(refused, data, tables, impossible):
    for more in (
        ["--dataset", "pairs", "--data-root", data, "--predictions", impossible],
        ["--suite", impossible],
        ["--compare", tables[0], impossible],
    ):
        assert len(refused("evaluate", *more)) < 500
