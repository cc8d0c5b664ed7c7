import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from lseg.checkpoints.load import load_model
from lseg.data.sets.pairs import PairsDataset
from lseg.evaluation.semantic import evaluate_pictures
from lseg.inference.multi_eval import MultiEvalConfig
from lseg.inference.views import InferenceConfig


def scores_of(checkpoint, data, rule):
    return evaluate_pictures(load_model(checkpoint), data, rule).pooled().scores()


@pytest.fixture
def evaluate(run, checkpoint, data):
    def call(*more, root=data):
        options = ["--dataset", "pairs", "--data-root", root, "--checkpoint", checkpoint]
        return run("evaluate", *options, *more)

    return call


def test_evaluate_prints_a_table_and_writes_the_figures_in_percent(
    evaluate, data, checkpoint, tmp_path
):
    out = tmp_path / "results" / "figures.json"
    code, printed, _ = evaluate("--out", out)
    assert code == 0
    for part in ("sky", "road", "tree", "mIoU", "pixel accuracy", str(out)):
        assert part in printed.replace("\n", "")
    figures = json.loads(out.read_text())
    wanted = scores_of(checkpoint, PairsDataset(data, "val"), InferenceConfig())
    assert figures["miou"] == pytest.approx(100 * wanted.miou)
    assert figures["pixel_accuracy"] == pytest.approx(100 * wanted.pixel_accuracy)
    assert list(figures["per_class"]) == ["sky", "road", "tree"]
    assert list(figures["per_class"].values()) == pytest.approx((100 * wanted.iou).tolist())
    assert f"{figures['miou']:.2f}" in printed
    assert figures["network"]["embed_dim"] == 16
    assert figures["versions"]["torch"]
    assert figures["options"]["split"] == "val"


def test_options_reach_the_inference(evaluate, data, checkpoint, tmp_path):
    out = tmp_path / "figures.json"
    evaluate(
        "--scales", "0.75", "1.25", "--flip", "--size", "48", "--window", "32",
        "--split", "train", "--out", out,
    )  # fmt: skip
    config = InferenceConfig(48, (0.75, 1.25), True, 32)
    wanted = scores_of(checkpoint, PairsDataset(data, "train"), config)
    assert json.loads(out.read_text())["miou"] == pytest.approx(100 * wanted.miou)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ([], MultiEvalConfig()),
        (
            ["--size", "60", "--window", "48", "--scales", "1", "1.5", "--no-flip",
             "--window-batch", "3"],
            MultiEvalConfig(60, 48, (1.0, 1.5), False, 3),
        ),
    ],
)  # fmt: skip
def test_one_word_asks_for_the_published_protocol(
    evaluate, data, checkpoint, tmp_path, more, wanted
):
    out = tmp_path / "figures.json"
    code, _, err = evaluate("--protocol", "lseg", *more, "--split", "train", "--out", out)
    assert code == 0, err
    figures = json.loads(out.read_text())
    scores = scores_of(checkpoint, PairsDataset(data, "train"), wanted)
    assert figures["miou"] == pytest.approx(100 * scores.miou)
    views = json.loads(json.dumps(dataclasses.asdict(wanted)))
    assert figures["views"] == {"protocol": "lseg", **views}


def test_prompts_are_what_the_network_is_asked_for(evaluate, tmp_path):
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps({"tree": "other", "sky": "sky|tree"}))
    code, _, _ = evaluate("--prompts", prompts, "--out", tmp_path / "figures.json")
    assert code == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["labels"] == {"sky": "sky|tree", "road": "road", "tree": "other"}
    assert list(figures["per_class"]) == ["sky", "road", "tree"]


def check_refused(result, *parts):
    code, _, err = result
    assert code == 2
    lines = [line for line in err.replace("\r", "\n").splitlines() if "lseg: " in line]
    assert len(lines) == 1
    assert lines[0].startswith("lseg: ")
    assert "Traceback" not in err
    for part in parts:
        assert str(part) in err


def test_bad_data_is_refused(evaluate, data, tmp_path):
    check_refused(evaluate(root=tmp_path / "none"), tmp_path / "none")
    check_refused(evaluate("--split", "test"), "test.txt")
    check_refused(evaluate("--scales", "0"), "scales")
    check_refused(evaluate("--window", "16"), "window")
    check_refused(evaluate("--protocol", "lseg", "--size", "0"), "size")
    check_refused(evaluate("--protocol", "paper"), "--protocol paper: give plain or lseg")
    check_refused(evaluate("--ignore-index", "1"), "values 255")
    check_refused(evaluate("--prompts", tmp_path / "none.json"), "none.json")
    (data / "classes.txt").write_text("sky\nroad\ncactus")
    check_refused(evaluate(), "'cactus'")


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_corrupt_mask_stops_the_evaluation_with_one_message(evaluate, data, workers, tmp_path):
    mask = data / "two.mask.png"
    mask.write_bytes(mask.read_bytes()[:60])
    result = evaluate("--workers", workers, "--out", tmp_path / "figures.json")
    check_refused(result, data / "two.mask.png")
    assert not (tmp_path / "figures.json").exists()


def test_an_output_that_cannot_be_written_is_refused(evaluate, tmp_path):
    (tmp_path / "taken").write_text("mine")
    check_refused(evaluate("--out", tmp_path / "taken" / "figures.json"), tmp_path / "taken")


def test_an_ignored_class_is_neither_asked_for_nor_counted(evaluate, data, tmp_path):
    """The commonest convention there is: 0 means unlabelled."""
    for path in data.glob("*.mask.png"):
        values = np.asarray(Image.open(path)).copy()
        values[values == 255] = 0
        Image.fromarray(values).save(path)
    code, _, err = evaluate("--ignore-index", "0", "--out", tmp_path / "figures.json")
    assert code == 0, err
    found = json.loads((tmp_path / "figures.json").read_text())
    assert list(found["per_class"]) == list(found["labels"]) == ["road", "tree"]
    for path in data.glob("*.mask.png"):
        values = np.asarray(Image.open(path)).copy()
        Image.fromarray(np.where(values == 0, 255, values - 1).astype(np.uint8)).save(path)
    (data / "classes.txt").write_text("road\ntree")
    evaluate("--out", tmp_path / "plain.json")
    plain = json.loads((tmp_path / "plain.json").read_text())
    assert found["per_class"] == plain["per_class"]
    assert found["pixel_accuracy"] == plain["pixel_accuracy"]


def test_one_class_alone_has_figures(evaluate, data, tmp_path):
    (data / "classes.txt").write_text("sky\n")
    for name in ("one", "two"):
        mask = np.zeros((40, 56), np.uint8)
        mask[:5] = 255
        Image.fromarray(mask).save(data / f"{name}.mask.png")
    out = tmp_path / "figures.json"
    code, _, _ = evaluate("--out", out)
    assert code == 0
    assert json.loads(out.read_text())["per_class"] == {"sky": 100.0}
    code, _, err = evaluate("--unseen", "0")
    assert code == 2
    assert "seen" in err
