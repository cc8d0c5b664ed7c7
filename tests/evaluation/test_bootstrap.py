import numpy as np
import pytest
import torch
from label_worlds import count, predictions, world

from lseg.evaluation import bootstrap
from lseg.evaluation.bootstrap import draws, miou_interval, resampled_miou


@pytest.fixture
def areas():
    data = world(pictures=9)
    maps = predictions(data, 0.9)
    maps[:4] = predictions(data, 0.2)[:4]  # pictures differ
    return count(data, maps)


def naive_mious(areas, resamples, first=0):
    """Picture by picture, in plain loops."""
    parts = [dict.fromkeys(range(areas.classes), (0, 0, 0)) for _ in areas.names]
    for picture, index, row in zip(
        areas.picture.tolist(), areas.index.tolist(), areas.areas.tolist(), strict=True
    ):
        parts[picture][index] = row
    found = []
    for weights in torch.cat(list(draws(len(areas), resamples, 3))).tolist():
        iou = []
        for index in range(first, areas.classes):
            both, true, called = (
                sum(w * part[index][side] for w, part in zip(weights, parts, strict=True))
                for side in range(3)
            )
            if true + called:
                iou.append(both / (true + called - both))
        found.append(sum(iou) / len(iou))
    return found


@pytest.mark.parametrize("first", [0, 1])
def test_resamples_equal_a_loop_over_pictures(areas, first):
    found = resampled_miou(areas, first, resamples=20, seed=3)
    assert found.tolist() == pytest.approx(naive_mious(areas, 20, first), abs=1e-12)


def test_blocks_of_resamples_draw_the_same_pictures(monkeypatch):
    whole = torch.cat(list(draws(7, 50, 0)))
    assert whole.shape == (50, 7)
    assert (whole.sum(1) == 7).all()
    monkeypatch.setattr(bootstrap, "_BLOCK", 21)
    blocks = list(draws(7, 50, 0))
    assert len(blocks) == 17
    assert torch.equal(torch.cat(blocks), whole)


def test_the_interval_holds_95_percent_of_the_resamples_and_the_figure(areas):
    low, high = miou_interval(areas, seed=3)
    values = resampled_miou(areas, seed=3).numpy()
    assert (low, high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))
    assert low < areas.pooled().scores().miou < high
    assert miou_interval(areas, seed=3) == (low, high)
    assert miou_interval(areas, seed=4) != (low, high)


def test_one_picture_has_no_interval():
    data = world(pictures=1)
    assert miou_interval(count(data, predictions(data, 0.5))) is None


def test_a_set_without_labelled_pixels_has_none_either():
    data = world(pictures=3, ignored=2)
    assert miou_interval(count(data, [np.zeros((40, 40), int)] * 3)) is None


def test_more_pictures_give_a_narrower_interval():
    widths = []
    for pictures in (8, 128):
        data = world(pictures=pictures)
        low, high = miou_interval(count(data, predictions(data, 0.5)))
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
