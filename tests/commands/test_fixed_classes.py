"""`lseg predict` with a network that has classes of its own."""

import json

import numpy as np
import pytest
from drawing import LABELS, names
from PIL import Image

from lseg.checkpoints.load import load_model
from lseg.inference.segmenter import ClassSegmenter


def test_predict_by_the_models_own_classes(run, classes_folder, pictures, tmp_path):
    out = tmp_path / "out"
    code, told, _ = run("predict", pictures, "--checkpoint", classes_folder, "--out", out)
    assert code == 0
    assert f"2 label map(s) with overlay and JSON in {out}" in told
    results = [f"{s}.{x}" for s in "ab" for x in ("json", "overlay.png", "png")]
    assert names(out) == [*results, "predict.yaml"]
    segmenter = ClassSegmenter(load_model(classes_folder))
    for stem, file in {"a": "a.png", "b": "b.jpg"}.items():
        result = segmenter.segment(pictures / file)
        with Image.open(out / f"{stem}.png") as picture:
            assert np.array_equal(np.asarray(picture), result.label_map)
        values = json.loads((out / f"{stem}.json").read_text())
        assert [entry["label"] for entry in values["labels"]] == list(LABELS)
    assert len(np.unique(segmenter.segment(pictures / "a.png").label_map)) == len(LABELS)


def test_predict_refuses_labels_for_fixed_classes(refused, classes_folder, pictures, tmp_path):
    message = refused(
        "predict", pictures, "--labels", "sky,road", "--checkpoint", classes_folder,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert "3 fixed classes" in message
    assert "--labels" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("labels", [[], ["--labels", "sky,road"]])
def test_predict_refuses_a_depth_network(refused, depth_folder, pictures, tmp_path, labels):
    message = refused(
        "predict", pictures, *labels, "--checkpoint", depth_folder, "--out", tmp_path / "out"
    )
    assert "DPTDepth" in message
    assert "lseg depth" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["embed", "depth"])
def test_commands_that_need_another_network_refuse_fixed_classes(
    refused, classes_folder, pictures, tmp_path, command
):
    message = refused(command, pictures, "--checkpoint", classes_folder, "--out", tmp_path / "out")
    assert "DPTSegmentation" in message
    assert not (tmp_path / "out").exists()


def test_predict_without_labels_asks_for_them(refused, checkpoint, pictures, tmp_path):
    message = refused("predict", pictures, "--checkpoint", checkpoint, "--out", tmp_path / "out")
    assert "--labels" in message
