import json

import numpy as np
import pytest
import torch
from label_worlds import count, predictions, world

from lseg.errors import DataError
from lseg.evaluation.metrics import SegmentationMetric
from lseg.evaluation.picture_areas import AreaCounter, PictureAreas, distinct_names


@pytest.mark.parametrize("pictures", [1, 5, 70])  # more than are brought to the host at a time
def test_pooled_areas_give_exactly_the_metric_s_scores(pictures):
    data = world(pictures=pictures)
    maps = predictions(data, 0.5)
    metric = SegmentationMetric(len(data.classes), data.ignore_index)
    for values, truth in zip(maps, data.truths, strict=True):
        metric.update(torch.from_numpy(values), torch.from_numpy(truth))
    scores, wanted = count(data, maps).pooled().scores(), metric.compute()
    assert scores[:4] == wanted[:4]
    assert torch.equal(scores.iou, wanted.iou)


def test_areas_of_a_picture_are_its_own_pixel_counts():
    data = world(pictures=3)
    maps = predictions(data, 0.4)
    for part, values, truth in zip(
        count(data, maps).of_each_picture(), maps, data.truths, strict=True
    ):
        labelled = truth != 255
        rows = [
            [(labelled & (values == i) & (truth == i)).sum(), (truth == i).sum(),
             (labelled & (values == i)).sum()]
            for i in range(len(data.classes))
        ]  # fmt: skip
        wanted = [row for row in rows if any(row)]
        assert torch.stack(list(part), 1).tolist() == wanted


def test_only_classes_that_occur_take_room():
    counter = AreaCounter(1000, 255)
    for index in range(40):
        truth = torch.full((4, 4), index)
        counter.add(str(index), torch.full_like(truth, 999), truth)
    areas = counter.finish()
    assert areas.areas.shape == (80, 3)
    assert areas.pooled().predicted[999] == 640


def test_weights_count_pictures_as_often_as_they_say():
    data = world(pictures=4)
    maps = predictions(data, 0.5)
    weights = torch.tensor([[0, 2, 1, 1], [1, 1, 1, 1]])
    found = count(data, maps).weighted(weights)
    chosen = [1, 1, 2, 3]
    repeated = world(pictures=4)
    repeated.truths = [data.truths[index] for index in chosen]
    wanted = count(repeated, [maps[index] for index in chosen]).pooled()
    for part, one in zip(found, wanted, strict=True):
        assert part[0].tolist() == one.tolist()
    assert found.both[1].tolist() == count(data, maps).pooled().both.tolist()


def test_json_keeps_everything_a_line_a_picture():
    data = world(pictures=3)
    maps = predictions(data, 0.5)
    data.truths[1] = np.full((40, 40), 255)
    areas = count(data, maps)
    lines = json.loads(json.dumps(areas.to_json()))
    assert list(lines) == data.names
    assert lines["p1"] == ""  # nothing was labelled
    back = PictureAreas.from_json(lines, len(data.classes))
    assert back.names == areas.names
    for name in ("picture", "index", "areas"):
        assert torch.equal(getattr(back, name), getattr(areas, name))


@pytest.mark.parametrize("line", ["0 1 2", "0 1 2 x", "6 1 1 1", "-1 1 1 1", 7])
def test_areas_that_are_none_are_refused(line):
    with pytest.raises(DataError, match="areas"):
        PictureAreas.from_json({"p": line}, 6)


def test_pictures_can_be_put_in_another_order():
    data = world(pictures=3)
    maps = predictions(data, 0.5)
    moved = count(data, maps).reordered(["p2", "p0", "p1"])
    data.truths = [data.truths[index] for index in (2, 0, 1)]
    data.names = ["p2", "p0", "p1"]
    wanted = count(data, [maps[index] for index in (2, 0, 1)])
    assert moved.names == wanted.names
    assert torch.equal(moved.picture, wanted.picture)
    assert torch.equal(moved.areas, wanted.areas)


def test_pictures_of_one_name_are_told_apart():
    data = world(pictures=3)
    data.names = ["a", "b", "a"]
    assert count(data, predictions(data, 0.5)).names == ("a", "b", "a #2")


def test_names_of_pictures_are_told_apart_even_from_names_that_look_like_it():
    assert distinct_names(["a", "a", "a #2", "a"]) == ["a", "a #3", "a #2", "a #4"]
    assert distinct_names(["b #2", "b", "b"]) == ["b #2", "b", "b #3"]
