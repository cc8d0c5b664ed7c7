"""The referee's figures, and that it raises no alarm at honest maps."""

import json

import numpy as np
import pytest
import torch
from drawing import draw
from judging import PROTOCOL, judged, keywords
from label_worlds import (
    count,
    mosaic,
    naive_confusion,
    naive_figures,
    predictions,
    save_maps,
    world,
)
from PIL import Image

from lseg.data.sets.pairs import PairsDataset
from lseg.evaluation.figures import table_to_json
from lseg.evaluation.referee.judge import resized
from lseg.evaluation.semantic import evaluate_pictures
from lseg.inference.segmenter import Segmenter
from lseg.inference.views import InferenceConfig

CLASSES = ["sky", "road", "tree", "car"]


@pytest.fixture
def pairs(tmp_path):
    """Three pictures in a `pairs` folder."""
    rng = np.random.default_rng(1)
    lines = []
    root = tmp_path / "data"
    root.mkdir()
    for number, (height, width) in enumerate([(64, 96), (64, 64), (37, 51)]):
        Image.fromarray(draw(height, width, number)).save(root / f"{number}.jpg")
        mask = rng.integers(0, 3, (height, width), dtype=np.uint8)
        mask[rng.random(mask.shape) < 0.1] = 255
        Image.fromarray(mask).save(root / f"{number}.png")
        lines.append(f"{number}.jpg {number}.png")
    (root / "classes.txt").write_text("\n".join(CLASSES))
    (root / "val.txt").write_text("\n".join(lines))
    return PairsDataset(root, "val")


def test_maps_of_a_model_get_exactly_the_figures_of_evaluate(model, pairs, tmp_path):
    wanted = table_to_json(evaluate_pictures(model, pairs, InferenceConfig()), CLASSES, PROTOCOL)
    segmenter = Segmenter(model)
    for name in pairs.names:
        segmenter.set_image(tmp_path / "data" / f"{name}.jpg")
        segmenter.segment(CLASSES).save(tmp_path / "maps" / name)
    table = judged(pairs, tmp_path / "maps")
    assert {key: table[key] for key in wanted} == wanted
    assert table["warnings"] == []
    assert table["matched"] is None


@pytest.mark.parametrize("depth", [1, 300])
def test_figures_equal_an_independent_confusion_matrix(tmp_path, depth):
    data = world(classes=6)
    maps = predictions(data, 0.4)
    maps[0][:3] = 6 * depth  # no class: wrong wherever there is truth
    table = judged(data, save_maps(tmp_path, data.names, maps))
    wanted = naive_figures(naive_confusion(maps, data.truths, 6))
    assert list(table["per_class"].values()) == pytest.approx(wanted.pop("per_class"), abs=1e-9)
    for key, value in wanted.items():
        assert table[key] == pytest.approx(value, abs=1e-9)


def blobs(rng, classes, size=40):
    values = np.full((size, size), rng.integers(classes))
    y, x = np.mgrid[:size, :size]
    for _ in range(rng.integers(1, 6)):
        cy, cx = rng.integers(0, size, 2)
        values[(y - cy) ** 2 + (x - cx) ** 2 < rng.integers(4, 15) ** 2] = rng.integers(classes)
    return values


LAYOUTS = {
    "mosaic": mosaic,
    "blobs": blobs,
    "noise": lambda rng, classes: rng.integers(0, classes, (40, 40)),
    "plain": lambda rng, classes: np.full((40, 40), rng.integers(classes)),
    "stripes": lambda rng, classes: np.repeat(rng.integers(0, classes, 4), 10)[None].repeat(40, 0),
}


@pytest.mark.parametrize("right", [0, 0.05, 0.5, 1])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("pictures", "classes"), [(1, 2), (2, 2), (3, 3), (4, 8), (12, 2), (12, 8)]
)
def test_honest_maps_raise_no_alarm_however_bad(tmp_path, pictures, classes, layout, right):
    for seed, other in enumerate(LAYOUTS.values()):
        data = world(seed, pictures, classes, draw=LAYOUTS[layout])
        maps = predictions(data, right, seed + 100, draw=other)
        folder = save_maps(tmp_path / str(seed), data.names, maps)
        assert judged(data, folder)["warnings"] == []


@pytest.mark.parametrize("right", [0.5, 1])
def test_a_class_that_is_always_called_another_is_the_model_s_fault(tmp_path, right):
    data = world(classes=5, pictures=8)
    maps = [np.where(values < 2, 3, values) for values in predictions(data, right)]
    assert judged(data, save_maps(tmp_path, data.names, maps))["warnings"] == []


def test_a_picture_listed_in_two_lines_counts_once(pairs, tmp_path):
    root = tmp_path / "data"
    folder = save_maps(tmp_path / "maps", "012", [np.zeros((9, 9), int)] * 3)
    before = judged(pairs, folder)
    lines = (root / "val.txt").read_text().splitlines()
    (root / "val.txt").write_text("\n".join([*lines, lines[1]]))
    table = judged(PairsDataset(root, "val"), folder)
    assert keywords(table) == [["twice"], ["size"]]
    assert "repeat a picture, which is counted once: 1" in table["warnings"][0]
    assert table["miou"] == before["miou"]
    assert table["pictures"] == 3


def test_an_averaged_figure_beside_the_maps_or_given_is_noticed(tmp_path):
    data = world(pictures=4)
    maps = predictions(data, 0.9)
    maps[3] = np.zeros_like(maps[3])
    folder = save_maps(tmp_path, data.names, maps)
    areas = count(data, maps)
    mean = 100 * torch.stack([one.iou().nanmean() for one in areas.of_each_picture()]).mean().item()
    pooled = 100 * areas.pooled().scores().miou
    assert abs(mean - pooled) > 2
    assert keywords(judged(data, folder, claimed=round(mean, 1))) == [["average"]]
    (folder / "results.json").write_text(json.dumps({"mIoU": round(mean / 100, 4)}))
    assert keywords(judged(data, folder)) == [["average"]]
    (folder / "results.json").write_text(json.dumps({"mIoU": round(pooled, 2)}))
    assert judged(data, folder)["warnings"] == []


def test_several_faults_each_have_their_sentence(tmp_path):
    data = world(classes=6, pictures=9)
    maps = [one + 1 for one in predictions(data, 0.9)]
    maps[1] = resized(maps[1], (60, 60))
    maps[4] = maps[3]
    table = judged(data, save_maps(tmp_path, data.names[:8], maps[:8]), claimed=99)
    assert keywords(table) == [["missing"], ["twice"], ["size"], ["shift"], []]
