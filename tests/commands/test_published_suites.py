"""The suites of this repository, on the sets' true layouts at toy size."""

import dataclasses
import json
from pathlib import Path

import pytest
from coco_trees import instances, thing, write
from drawing import save_lseg
from needs import PHOTOS, needs_photos
from published_trees import COCO, SIZE, TREES

from lseg.checkpoints.load import load_model
from lseg.commands.evaluated_data import evaluated_data
from lseg.commands.options.evaluate import SUITE_OPTIONS, EvaluateOptions
from lseg.commands.parser import overridden
from lseg.data.base.labels import display_name
from lseg.data.sets.registry import open_set
from lseg.evaluation.suite import read_suite
from lseg.text.table import LabelTable

SUITES = Path(__file__).parents[2] / "suites"
CLASSES = {
    "training_free": {
        "VOC20": 20, "VOC21": 21, "Context59": 59, "Context60": 60, "Object": 81, "Stuff": 171,
        "ADE": 150, "Cityscapes": 19,
    },
    "trained": {
        "A-847": 847, "PC-459": 459, "A-150": 150, "PC-59": 59, "PAS-20": 20, "PAS-20b": 21,
    },
}  # fmt: skip
FIGURES = ("miou", "pixel_accuracy", "mean_accuracy", "fw_iou", "seen_miou", "unseen_miou")


@pytest.fixture
def root(tmp_path):
    """All sets of the suites in one folder; the two VOC sets share files, and so do Context's."""
    root = tmp_path / "sets"
    for name in (
        "voc20", "context60", "context459", "coco_stuff", "ade20k", "ade20k_full", "cityscapes",
    ):  # fmt: skip
        TREES[name].draw(root)
    height, width = SIZE
    images = [
        {"id": number, "file_name": f"{name}.jpg", "height": height, "width": width}
        for number, name in enumerate(COCO, start=1)
    ]
    categories = [{"id": 1, "name": "person"}]
    things = [thing(), thing(id=8, image_id=2)]
    write(
        root / "annotations/instances_val2017.json",
        instances(things, images, categories=categories),
    )
    return root


def entries(suite):
    return read_suite(SUITES / f"{suite}.yaml", SUITE_OPTIONS)


@pytest.fixture
def knowing(root, tmp_path):
    """Makes a network that knows every label of a suite, and was trained on some."""

    def make(suite):
        folders = [open_set(entry.dataset, root) for entry in entries(suite)]
        words = dict.fromkeys(display_name(p) for folder in folders for p in folder.prompts)
        home = tmp_path / "model"
        home.mkdir()
        path = save_lseg(home, list(words))
        model = load_model(path)
        model.config = dataclasses.replace(model.config, labels=("person", "sky", "wall", "car"))
        model.save_pretrained(path)
        return path

    return make


@pytest.mark.slow  # hundreds of labels on up to sixteen pictures
@pytest.mark.parametrize("suite", CLASSES)
def test_a_suite_gives_all_figures_of_all_its_sets(suite, run, root, knowing, tmp_path):
    out = tmp_path / "suite.json"
    code, printed, err = run(
        "evaluate", "--suite", SUITES / f"{suite}.yaml", "--data-root", root,
        "--checkpoint", knowing(suite), "--out", out,
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out.read_text())
    rows = {row["name"]: row for row in found["rows"]}
    assert {name: len(row["per_class"]) for name, row in rows.items()} == CLASSES[suite]
    for row in rows.values():
        assert row["pictures"] == 2
        assert len(row["miou_interval"]) == 2
        assert all(0 <= row[key] <= 100 for key in FIGURES if row[key] is not None)
        assert row["miou"] is not None
    assert any(row["seen_miou"] is not None for row in rows.values())
    table = out.with_suffix(".md").read_text()
    assert table.split("\nIoU of each class of ")[0] in printed
    for row in found["published"]:
        assert row["source"]
        assert f"| {row['method']} |" in table
    methods = {row["method"]: row for row in found["published"]}
    if suite == "training_free":
        assert methods["CorrCLIP L"]["mean"] == 55.4
    else:
        assert "| CAT-Seg L/14 | 16.0 | 23.8 | 37.9 | 63.3 | 97.0 | - |" in table


@needs_photos("camvid11")
def test_the_photographs_of_the_suite_real_are_there_with_prompts_that_the_table_knows(monkeypatch):
    monkeypatch.setenv("LSEG_DATA", str(PHOTOS))
    counts, asked = {}, {}
    for entry in entries("real"):
        options = overridden("evaluate", EvaluateOptions(), entry.options, entry.name)
        data = evaluated_data(options)
        counts[entry.name] = len(data.classes)
        asked[entry.name] = data.labels
    assert counts == {"COCO 133": 133, "VOC 21": 21, "CamVid 11": 11}
    known = LabelTable(PHOTOS / "clip_text/openai_vitb16.safetensors").names
    assert {label for labels in asked.values() for label in labels} <= set(known)
