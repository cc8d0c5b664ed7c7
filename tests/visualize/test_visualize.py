import contextlib

import numpy as np
import pytest

from lseg.visualize import colour_map, comparison, label_colours, overlay, palette, with_legend

GREY = (128, 128, 128)


def test_colours_are_distinct_from_each_other_and_from_grey():
    colours = [*map(tuple, palette(256).tolist()), GREY]
    assert len(set(colours)) == len(colours)


def test_the_first_colours_lie_far_apart():
    colours = np.concatenate([palette(12).astype(int), [GREY]])
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert distances[~np.eye(13, dtype=bool)].min() > 50


def test_a_label_keeps_its_colour_however_many_follow():
    for count in (0, 1, 7, 150):
        assert palette(count).shape == (count, 3)
        assert palette(count).dtype == np.uint8
        assert np.array_equal(palette(count), palette(300)[:count])


def test_the_palette_cannot_be_spoilt_by_who_receives_it():
    before = palette(13).tolist()
    with contextlib.suppress(ValueError):  # read-only, or a copy
        palette(13)[:] = 0
    label_colours(["sky"] * 13)[:] = 0
    assert palette(13).tolist() == before


@pytest.mark.parametrize("name", ["other", "Others", " background ", "background|other"])
def test_background_is_grey_and_takes_no_other_label_s_colour(name):
    colours = label_colours(["sky", name, "another", "road"])
    assert tuple(colours[1]) == GREY
    assert np.array_equal(colours[[0, 2, 3]], palette(4)[[0, 2, 3]])


def test_a_label_map_becomes_its_colours_and_the_rest_is_missing():
    colours = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    label_map = np.array([[0, 1, 255]])
    for dtype in (np.uint8, np.uint16, np.int64):
        coloured = colour_map(label_map.astype(dtype), colours, missing=9)
        assert coloured.tolist() == [[[1, 2, 3], [4, 5, 6], [9, 9, 9]]]
        assert coloured.dtype == np.uint8


def test_more_than_256_labels_are_coloured():
    colours = palette(300)
    label_map = np.arange(300, dtype=np.uint16).reshape(15, 20)
    assert np.array_equal(colour_map(label_map, colours).reshape(300, 3), colours)


def test_an_overlay_is_the_weighted_mean_of_picture_and_colour():
    image = np.array([[[100, 0, 255], [10, 20, 30]]], np.uint8)
    label_map = np.array([[1, 0]], np.uint8)
    colours = np.array([[200, 200, 200], [0, 100, 255]], np.uint8)
    mixed = overlay(image, label_map, colours, opacity=0.25)
    assert mixed.tolist() == [[[75, 25, 255], [58, 65, 72]]]  # 57.5, 65 and 72.5, ties to even
    assert mixed.dtype == np.uint8
    assert np.array_equal(overlay(image, label_map, colours, 0), image)
    assert np.array_equal(overlay(image, label_map, colours, 1), colours[label_map])


def pixels_below(legend, height):
    return set(map(tuple, np.asarray(legend)[height:].reshape(-1, 3).tolist()))


def test_a_legend_is_added_below_the_untouched_picture():
    picture = np.full((40, 300, 3), 77, np.uint8)
    colours = palette(3)
    legend = with_legend(picture, ["sky", "road", "tree"], colours)
    assert legend.mode == "RGB"
    assert legend.width == 300
    assert legend.height > 40
    assert np.array_equal(np.asarray(legend)[:40], picture)
    assert {tuple(colour) for colour in colours.tolist()} <= pixels_below(legend, 40)


def test_a_legend_names_only_the_labels_shown():
    picture = np.zeros((40, 300, 3), np.uint8)
    colours = palette(3)
    below = pixels_below(with_legend(picture, ["sky", "road", "tree"], colours, [1]), 40)
    assert [tuple(colour) in below for colour in colours.tolist()] == [False, True, False]


def test_a_legend_of_many_labels_takes_several_rows_and_shows_all():
    picture = np.zeros((40, 250, 3), np.uint8)
    names = [f"label number {index}" for index in range(30)]
    colours = palette(30)
    one_row = with_legend(picture, names, colours, [0])
    legend = with_legend(picture, names, colours)
    assert legend.height - 40 > 5 * (one_row.height - 40)
    assert {tuple(colour) for colour in colours.tolist()} <= pixels_below(legend, 40)


def test_the_legend_of_a_narrow_picture_has_room_for_a_name():
    legend = with_legend(np.zeros((40, 10, 3), np.uint8), ["potted plant"], palette(1))
    assert legend.width >= 100
    array = np.asarray(legend)
    assert (array[:40, :10] == 0).all()
    assert (array[:40, 10:] == 255).all()


def test_a_label_is_shown_whole_however_long_it_is():
    name = "a very long description of one single thing that somebody may want to look for"
    legend = with_legend(np.zeros((40, 60, 3), np.uint8), [name], palette(1))
    assert (np.asarray(legend)[:, -3:] == 255).all()  # nothing runs over the edge


def test_a_comparison_shows_picture_truth_and_prediction_side_by_side():
    image = np.full((30, 80, 3), 50, np.uint8)
    truth = np.zeros((30, 80), np.int64)
    truth[:10] = 255
    prediction = np.ones((30, 80), np.uint8)
    colours = palette(3)
    picture = np.asarray(comparison(image, truth, prediction, ["sky", "road", "tree"], colours))
    assert np.array_equal(picture[:30, :80], image)
    assert (picture[:10, 84:164] == 0).all()
    assert (picture[10:30, 84:164] == colours[0]).all()
    assert (picture[:30, 168:248] == colours[1]).all()
    below = set(map(tuple, picture[30:].reshape(-1, 3).tolist()))
    assert [tuple(colour) in below for colour in colours.tolist()] == [True, True, False]
