import json

import numpy as np
import pytest
from label_worlds import count, naive_confusion, naive_figures, predictions, world

from lseg.evaluation.figures import Protocol, figures_to_json, seen_figures, table_to_json


@pytest.mark.parametrize("right", [0, 0.3, 1])
@pytest.mark.parametrize("seed", range(3))
def test_figures_equal_an_independent_confusion_matrix(seed, right):
    data = world(seed, classes=7)
    for truth in data.truths:
        truth[truth == 2] = 3  # a class that is only predicted
    maps = [np.where(values == 5, 4, values) for values in predictions(data, right)]
    figures = figures_to_json(count(data, maps), data.classes)
    wanted = naive_figures(naive_confusion(maps, data.truths, 7))
    assert list(figures["per_class"].values()) == pytest.approx(wanted.pop("per_class"), abs=1e-9)
    for key, value in wanted.items():
        assert figures[key] == pytest.approx(value, abs=1e-9), key
    assert figures["pictures"] == 6
    low, high = figures["miou_interval"]
    assert 0 <= low <= high <= 100


def test_a_class_in_neither_truth_nor_prediction_is_left_out_of_every_mean():
    data = world(classes=4)
    maps = predictions(data, 0.5)
    without = figures_to_json(count(data, maps), data.classes)
    data.classes = [*data.classes, "nowhere"]
    with_it = figures_to_json(count(data, maps), data.classes)
    assert with_it["per_class"].pop("nowhere") is None
    assert with_it == without


def test_seen_and_unseen_classes_are_found_by_name_and_synonym():
    per_class = {"potted plant": 10.0, "person|people": 20.0, "dog": 60.0, "cat": None}
    found = seen_figures(per_class, ["pottedplant", "man|People", "sheep"])
    assert found == {"seen_miou": 15, "unseen_miou": 60}
    assert seen_figures(per_class, ["zebra"])["seen_miou"] is None


def test_a_background_at_0_is_no_class_to_be_seen():
    data = world(classes=4)
    areas = count(data, predictions(data, 0.5))
    iou = list(figures_to_json(areas, data.classes)["per_class"].values())
    figures = figures_to_json(areas, data.classes, training=["sky", "road"], first=1)
    assert figures["miou"] == pytest.approx(sum(iou[1:]) / 3)
    assert figures["seen_miou"] == pytest.approx(iou[1])
    assert figures["unseen_miou"] == pytest.approx(sum(iou[2:]) / 2)


def test_a_table_is_json_with_the_protocol_and_every_picture():
    data = world()
    protocol = Protocol("pairs", "val", 255)
    table = table_to_json(count(data, predictions(data, 0.5)), data.classes, protocol)
    back = json.loads(json.dumps(table, allow_nan=False))
    assert back["protocol"] == {"dataset": "pairs", "split": "val", "ignore_index": 255, "first": 0}
    assert back["classes"] == data.classes
    assert list(back["areas"]) == data.names
