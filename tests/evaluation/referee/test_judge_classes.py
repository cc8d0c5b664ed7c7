"""Maps whose indices mean other classes than those of the data set."""

import numpy as np
import pytest
from judging import KEYWORDS, judged, keywords
from label_worlds import NAMES, count, predictions, save_maps, save_sidecar, world


@pytest.mark.parametrize("right", [0.7, 1])
@pytest.mark.parametrize("seed", range(3))
def test_permuted_classes_are_matched(tmp_path, seed, right):
    data = world(seed, classes=6, pictures=8)
    straight = predictions(data, right)
    swapped = np.array([3, 0, 4, 5, 1, 2])
    table = judged(data, save_maps(tmp_path, data.names, [swapped[one] for one in straight]))
    assert keywords(table) == [["order"]]
    good = 100 * count(data, straight).pooled().scores().miou
    matched = table["matched"]
    assert matched["miou"] == pytest.approx(good)
    assert matched["miou_before"] == table["miou"] < 0.5 * good
    assert matched["classes"] == {str(swapped[i]): NAMES[i] for i in range(6)}
    assert f"{good:.2f}, not {table['miou']:.2f}" in table["warnings"][0]
    assert f"3 ({NAMES[3]}) is {NAMES[0]!r}" in table["warnings"][0]


def test_two_exchanged_classes_of_many_are_found(tmp_path):
    data = world(classes=8, pictures=8)
    exchanged = np.array([0, 1, 5, 3, 4, 2, 6, 7])
    maps = [exchanged[one] for one in predictions(data, 0.9)]
    table = judged(data, save_maps(tmp_path, data.names, maps))
    assert keywords(table) == [["order"]]
    assert table["matched"]["classes"] == {"2": "dog", "5": "tree"}


SHIFTS = {
    "one above": lambda values: values + 1,
    "one below, 0 kept": lambda values: np.maximum(values - 1, 0),
    "one below, 0 to 255": lambda values: np.where(values == 0, 255, values - 1),
    "one below, 0 to 65535": lambda values: np.where(values == 0, 65535, values - 1),
}


@pytest.mark.parametrize("right", [0.6, 1])
@pytest.mark.parametrize("shift", SHIFTS)
def test_indices_off_by_one_are_found(tmp_path, shift, right):
    data = world(classes=6, pictures=6)
    straight = predictions(data, right)
    table = judged(data, save_maps(tmp_path, data.names, [SHIFTS[shift](one) for one in straight]))
    assert keywords(table) == [["shift"]]
    assert shift[:9] in table["warnings"][0]
    assert table["matched"]["miou"] > 2 * table["miou"]
    if "kept" not in shift:
        good = 100 * count(data, straight).pooled().scores().miou
        assert table["matched"]["miou"] == pytest.approx(good)


@pytest.mark.parametrize("step", [1, -1])
def test_a_rolled_class_list_is_a_shift_of_the_order(tmp_path, step):
    data = world(classes=6, pictures=6)
    maps = [(values + step) % 6 for values in predictions(data, 0.9)]
    assert keywords(judged(data, save_maps(tmp_path, data.names, maps))) == [["order", "shift"]]


def test_a_zero_label_that_the_data_set_did_not_reduce_is_found(tmp_path):
    data = world(classes=6, pictures=6)
    maps = [np.maximum(values - 1, 0) for values in predictions(data, 1)]
    data.truths = [np.where(truth == 255, 0, truth) for truth in data.truths]  # 0: unlabelled
    (said,) = judged(data, save_maps(tmp_path, data.names, maps))["warnings"]
    assert "shift" in said
    assert "reduce-zero-label was applied to the maps but not to the data set" in said


def test_a_background_written_as_255_is_found(tmp_path):
    data = world(classes=6, pictures=6)
    maps = [np.where(values == 0, 255, values) for values in predictions(data, 0.8)]
    table = judged(data, save_maps(tmp_path, data.names, maps))
    assert keywords(table) == [["shift"]]
    assert "255 where the truth is 'sky'" in table["warnings"][0]


def test_a_mask_of_0_and_255_for_two_classes_is_found(tmp_path):
    data = world(classes=2, pictures=12)
    maps = [255 * values for values in predictions(data, 0.8)]
    table = judged(data, save_maps(tmp_path, data.names, maps))
    assert keywords(table) == [["shift"]]
    assert table["matched"]["classes"] == {"255": "road"}


def test_values_of_no_class_are_said_to_count_as_wrong(tmp_path):
    data = world(classes=4, pictures=3)
    maps = predictions(data, 1)
    maps[0][:20] = 200
    (said,) = judged(data, save_maps(tmp_path, data.names, maps))["warnings"]
    assert "values 200" in said
    assert not any(word in said for word in KEYWORDS)


def test_maps_with_names_beside_them_are_never_out_of_order(tmp_path):
    data = world(classes=6, pictures=6)
    straight = predictions(data, 1)
    order = np.array([3, 0, 4, 5, 1, 2])
    folder = save_maps(tmp_path, data.names, [order[one] for one in straight])
    for name in data.names:
        save_sidecar(folder / f"{name}.json", [NAMES[i] for i in order.argsort()])
    table = judged(data, folder)
    assert table["warnings"] == []
    assert table["miou"] == 100


def test_hundreds_of_classes_take_little_memory_and_time(tmp_path):
    data = world(classes=8, pictures=4)
    data.classes = [f"class {index}" for index in range(847)]
    order = np.random.default_rng(0).permutation(847)
    maps = [order[one] for one in predictions(data, 1)]
    table = judged(data, save_maps(tmp_path, data.names, maps))
    assert keywords(table) == [["order"]]
    assert table["matched"]["miou"] == 100


@pytest.mark.parametrize(
    ("swapped", "tail"), [([0, 4, 5, 1, 3, 2], "'"), ([3, 0, 4, 5, 1, 2], "' and 1 more")]
)
def test_five_classes_of_another_order_are_named(tmp_path, swapped, tail):
    data = world(classes=6, pictures=8)
    maps = [np.array(swapped)[one] for one in predictions(data, 1)]
    (said,) = judged(data, save_maps(tmp_path, data.names, maps))["warnings"]
    assert said.count(" is '") == 5
    assert said.endswith(tail)
