from pathlib import Path

import numpy as np
import pytest
import torch
from label_worlds import count, predictions, world
from torchmetrics.segmentation import MeanIoU

from lseg.evaluation.referee.claims import Claim, _is, find_claims, judge_claim


@pytest.fixture
def data():
    data = world(pictures=5)
    data.truths[0][:5, :5] = 0
    for truth in data.truths[1:]:
        truth[truth == 0] = 1  # class 0 is in one picture
    return data


@pytest.fixture
def maps(data):
    return [
        part for right, index in zip((1, 0.9, 0.5, 0.2, 0), range(5), strict=True)
        for part in predictions(data, right)[index : index + 1]
    ]  # fmt: skip


def naive_iou(data, maps, truth_only=False):
    """(P, N) IoU of each picture, NaN for classes that it has not."""
    rows = []
    for values, truth in zip(maps, data.truths, strict=True):
        row, labelled = [], truth != 255
        for index in range(len(data.classes)):
            true, called = truth == index, (values == index) & labelled
            there = true.any() or (called.any() and not truth_only)
            row.append((true & called).sum() / (true | called).sum() if there else np.nan)
        rows.append(row)
    return np.array(rows)


def averages(data, maps):
    iou, seen = naive_iou(data, maps), naive_iou(data, maps, truth_only=True)
    return {
        "pictures' own mIoU": np.nanmean(np.nanmean(iou, 1)),
        "over the classes of their truth": np.nanmean(np.nanmean(seen, 1)),
        "absent classes counted as 0": np.nan_to_num(iou, nan=0).mean(),
        "absent classes counted as 1": np.nan_to_num(iou, nan=1).mean(),
        "every picture and class in it": np.nanmean(iou),
        "each class's IoU over the pictures ": np.nanmean(np.nanmean(iou, 0)),
        "pictures that show it": np.nanmean(np.nanmean(seen, 0)),
    }


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_the_pooled_figure_is_as_it_should_be_in_percent_or_as_a_share(data, maps, digits):
    areas = count(data, maps)
    pooled = 100 * areas.pooled().scores().miou
    assert judge_claim(Claim(round(pooled, digits), "x"), areas) is None
    assert judge_claim(Claim(round(pooled / 100, digits + 2), "x"), areas) is None


@pytest.mark.parametrize(("claimed", "figure", "same"), [
    (0.5, 54.9, True), (0.5, 55.02, False), (50.1, 50.149, True), (50.1, 50.16, False),
    (1, 95.1, True), (1, 94.9, False), (1, 1.04, True),
])  # fmt: skip
def test_a_claim_is_a_figure_as_far_as_its_digits_go(claimed, figure, same):
    assert _is(claimed, figure) is same


def test_each_way_of_averaging_is_named(data, maps):
    areas = count(data, maps)
    for name, value in averages(data, maps).items():
        for claimed in (round(100 * value, 2), value):
            said = judge_claim(Claim(claimed, "table.json"), areas)
            assert said.startswith("average: ")
            assert name in f"{said} "
            assert f"{100 * areas.pooled().scores().miou:.2f}" in said


def test_torchmetrics_mean_iou_is_recognised(data, maps):
    metric = MeanIoU(num_classes=len(data.classes), input_format="index")
    data = world(pictures=5, ignored=0)
    maps = predictions(data, 0.6)
    metric.update(torch.from_numpy(np.stack(maps)), torch.from_numpy(np.stack(data.truths)))
    said = judge_claim(Claim(metric.compute().item(), "torchmetrics"), count(data, maps))
    assert said.startswith("average: ")
    assert "torchmetrics' MeanIoU" in said


def test_another_figure_is_said_to_be_none_of_these(data, maps):
    said = judge_claim(Claim(99.5, "table.json"), count(data, maps))
    assert "99.5 in table.json does not follow" in said
    assert "average" not in said


def test_claims_are_found_however_they_are_spelled():
    tables = {
        Path("a.json"): {"mIoU": 40.1, "name": "x"},
        Path("b.json"): {"metrics": {"mean_iou": 0.4}},
        Path("c.json"): {"mIoU": "40", "miou": None, "mean_iou": True, "acc": 3},
    }
    assert find_claims(tables) == [Claim(40.1, "a.json"), Claim(0.4, "b.json")]
