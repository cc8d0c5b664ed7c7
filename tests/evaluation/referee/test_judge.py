import json

import numpy as np
import pytest
import torch
from drawing import draw
from label_worlds import (
    NAMES,
    Truths,
    count,
    mosaic,
    naive_confusion,
    naive_figures,
    predictions,
    save_maps,
    save_sidecar,
    world,
)
from PIL import Image

from lseg.data.sets.pairs import PairsDataset
from lseg.errors import DataError
from lseg.evaluation.figures import Protocol, table_to_json
from lseg.evaluation.referee.judge import referee, resized
from lseg.evaluation.semantic import evaluate_pictures
from lseg.inference.segmenter import Segmenter
from lseg.inference.views import InferenceConfig

PROTOCOL = Protocol("pairs", "val", 255)
KEYWORDS = ("order", "shift", "size", "missing", "twice", "average")
CLASSES = ["sky", "road", "tree", "car"]


def judged(data, folder, claimed=None):
    return referee(data, folder, data.classes, PROTOCOL, claimed)


def keywords(table):
    """Which keywords occur in each warning."""
    return [[word for word in KEYWORDS if word in said] for said in table["warnings"]]


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


def test_several_faults_each_have_their_sentence(tmp_path):
    data = world(classes=6, pictures=9)
    maps = [one + 1 for one in predictions(data, 0.9)]
    maps[1] = resized(maps[1], (60, 60))
    maps[4] = maps[3]
    table = judged(data, save_maps(tmp_path, data.names[:8], maps[:8]), claimed=99)
    assert keywords(table) == [["missing"], ["twice"], ["size"], ["shift"], []]


def test_hundreds_of_classes_take_little_memory_and_time(tmp_path):
    data = world(classes=8, pictures=4)
    data.classes = [f"class {index}" for index in range(847)]
    order = np.random.default_rng(0).permutation(847)
    maps = [order[one] for one in predictions(data, 1)]
    table = judged(data, save_maps(tmp_path, data.names, maps))
    assert keywords(table) == [["order"]]
    assert table["matched"]["miou"] == 100
