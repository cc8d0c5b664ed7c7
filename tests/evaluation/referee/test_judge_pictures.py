"""Maps that are missing, there twice, or of another size."""

import numpy as np
import pytest
from judging import judged, keywords
from label_worlds import Truths, count, predictions, save_maps, world

from lseg.errors import DataError
from lseg.evaluation.referee.judge import resized


@pytest.mark.parametrize("shape", [(20, 20), (80, 80), (40, 30)])
def test_maps_of_another_size_are_scaled_and_counted(tmp_path, shape):
    data = world(pictures=3)
    maps = predictions(data, 0.8)
    maps[1] = resized(maps[1], shape)
    table = judged(data, save_maps(tmp_path, data.names, maps))
    assert keywords(table) == [["size"]]
    assert "1 of 3 maps are not as large as the truth" in table["warnings"][0]
    assert f"p1 ({shape[1]}x{shape[0]} instead of 40x40)" in table["warnings"][0]
    assert table["pictures"] == 3
    assert table["miou"] > 40


def test_resizing_takes_the_nearest_pixel_s_centre():
    values = np.arange(6).reshape(2, 3)
    assert (resized(values, (4, 6)) == values.repeat(2, 0).repeat(2, 1)).all()
    assert (resized(values.repeat(3, 0).repeat(3, 1), (2, 3)) == values).all()


def test_pictures_without_a_map_are_named_and_left_out(tmp_path):
    data = world(pictures=5)
    maps = predictions(data, 0.6)
    folder = save_maps(tmp_path, data.names[:3], maps[:3])
    table = judged(data, folder)
    assert keywords(table) == [["missing"]]
    assert "2 of 5" in table["warnings"][0]
    assert "p3, p4" in table["warnings"][0]
    assert table["missing"] == ["p3", "p4"]
    rest = Truths(data.truths[:3], data.classes)
    assert table["miou"] == 100 * count(rest, maps[:3]).pooled().scores().miou
    assert table["pictures"] == 3


def test_maps_of_other_pictures_do_no_harm_but_some_must_fit(tmp_path):
    data = world(pictures=2)
    maps = predictions(data, 0.6)
    folder = save_maps(tmp_path, ["p0", "p1", "elsewhere"], [*maps, maps[0]])
    assert judged(data, folder)["warnings"] == []
    data.names = ["a", "b"]
    with pytest.raises(DataError, match=r"looked for a.png, b.png; there are 3 maps"):
        judged(data, folder)


def test_two_maps_of_a_picture_are_noticed(tmp_path):
    data = world(pictures=3)
    maps = predictions(data, 0.6)
    save_maps(tmp_path, data.names, maps)
    save_maps(tmp_path, ["old/p1"], [maps[2]])
    table = judged(data, tmp_path)
    assert keywords(table) == [["twice"]]
    assert "p1 (p1.png, old/p1.png)" in table["warnings"][0]
    assert table["miou"] == 100 * count(data, maps).pooled().scores().miou


def test_two_pictures_of_one_name_cannot_be_judged(tmp_path):
    data = world(pictures=2)
    data.names = ["a", "a"]
    with pytest.raises(DataError, match="two different pictures of the data set are called a"):
        judged(data, save_maps(tmp_path, ["a"], predictions(data, 1)[:1]))


def test_a_picture_under_two_names_is_noticed(tmp_path):
    data = world(pictures=4)
    data.truths[3], data.pictures = data.truths[1], {3: 1}
    table = judged(data, save_maps(tmp_path, data.names, predictions(data, 0.5)))
    assert keywords(table) == [["twice"]]
    assert "p1 = p3" in table["warnings"][0]


def test_a_map_under_two_names_is_noticed(tmp_path):
    data = world(pictures=4)
    maps = predictions(data, 0.9)
    maps[2] = maps[0]
    table = judged(data, save_maps(tmp_path, data.names, maps))
    assert keywords(table) == [["twice"]]
    assert "p0 = p2" in table["warnings"][0]


def test_equal_pictures_have_equal_maps_whatever_their_truths(tmp_path):
    data = world(pictures=4)
    data.pictures = {2: 0}
    maps = predictions(data, 0.5)
    maps[2] = maps[0]
    assert judged(data, save_maps(tmp_path, data.names, maps))["warnings"] == []
