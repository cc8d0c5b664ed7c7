"""Every adaptor reads its set's true layout, and says what is wrong with another."""

import importlib
import json
import shutil

import numpy as np
import pytest
import torch
from fewshot_trees import save_png
from PIL import Image
from published_trees import SIZE, STUFF, TREES, vistas_config

from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder import BACKGROUND, IGNORE, Background
from lseg.data.sets.label_table import read_labels
from lseg.data.sets.published import missing_files, refuse_missing_files
from lseg.data.sets.registry import ADAPTORS, SETS, open_set
from lseg.errors import DataError

RULES = {  # classes, ignored value, whether 0 is no class, background
    "ade20k": (150, None, True, Background.OTHER),
    "ade20k_full": (847, 65535, False, Background.NONE),
    "coco_stuff": (171, 255, False, Background.NONE),
    "coco_stuff27": (27, 255, False, Background.NONE),
    "voc20": (20, 255, True, Background.OTHER),
    "voc21": (21, 255, False, Background.COUNTED),
    "context59": (59, None, True, Background.OTHER),
    "context60": (60, None, False, Background.COUNTED),
    "context459": (459, 65535, False, Background.NONE),
    "cityscapes": (19, 255, False, Background.NONE),
    "camvid11": (11, 11, False, Background.NONE),
    "camvid32": (31, None, False, Background.NONE),
    "mapillary": (65, 65, False, Background.NONE),
}
every_tree = pytest.mark.parametrize("tree", TREES.values(), ids=TREES)


def opened(tree, root):
    return open_set(tree.dataset, root, tree.split)


@every_tree
def test_masks_are_read_as_they_were_drawn(tree, tmp_path):
    expected = tree.draw(tmp_path)
    for root in (tmp_path, tmp_path / tree.home):
        folder = opened(tree, root)
        assert folder.name == tree.dataset
        assert list(folder.stems) == sorted(expected)
        refuse_missing_files(folder)
        for stem, mask in expected.items():
            found = folder.read(stem)
            assert found.image.size == SIZE[::-1]
            assert found.mask.dtype == np.int16
            assert np.array_equal(found.mask, mask)
            assert set(range(len(folder.classes))) <= set(np.unique(found.mask).tolist())


def test_the_27_groups_of_coco_stuff(tmp_path):
    tree = TREES["coco_stuff"]
    tree.draw(tmp_path)
    folder = open_set("coco_stuff27", tmp_path)
    stored = np.array(Image.open(folder.mask_path("000000000139")))
    mask = folder.mask("000000000139")
    assert np.array_equal(mask == IGNORE, stored == 255)
    groups = {value: set(np.unique(mask[stored == value]).tolist()) for value in STUFF}
    # person, bicycle, dog, banana, chair, tv, banner, branch, fruit, wall-wood, window-blind
    numbered = {0: 9, 1: 11, 17: 7, 51: 2, 61: 3, 71: 0, 91: 17, 93: 22, 121: 14, 176: 18, 179: 19}
    assert {value: groups[value] for value in numbered} == {k: {v} for k, v in numbered.items()}
    assert set(np.unique(mask).tolist()) == {IGNORE, *range(27)}


@pytest.mark.parametrize("name", ["coco_stuff", "coco_stuff, train ids"])
def test_other_masks_beside_those_of_coco_stuff_are_none_of_its_own(name, tmp_path):
    tree = TREES[name]
    expected = tree.draw(tmp_path)
    stranger = tree.path(tmp_path, tree.mask, tree.names[0]).with_name(
        f"{tree.names[0]}_instanceTrainIds.png"
    )
    save_png(np.zeros(SIZE, np.uint8), stranger)
    assert list(opened(tree, tmp_path).stems) == list(expected)


def test_evaluation_leaves_out_what_is_no_class(tmp_path):
    tree = TREES["voc20"]
    expected = tree.draw(tmp_path)
    data = FolderDataset(opened(tree, tmp_path), ignore_index=255)
    for item, mask in zip(data, expected.values(), strict=False):
        assert torch.equal(item["mask"] == 255, torch.from_numpy(mask < 0))
        assert item["mask"][item["mask"] != 255].max() == 19


@pytest.mark.parametrize("name", RULES)
def test_the_rules_of_a_set(name):
    module, kind = ADAPTORS[name].split(".")
    adaptor = getattr(importlib.import_module(f"lseg.data.sets.{module}"), kind)
    count, ignored, reduced, background = RULES[name]
    assert adaptor.name == name
    assert len(adaptor.read_labels().names) == count
    assert (adaptor.ignore_value, adaptor.reduce_zero_label) == (ignored, reduced)
    assert adaptor.background is background


def test_the_registry_names_each_set_once():
    assert set(ADAPTORS) == set(SETS) == {*RULES, "coco", "coco_object", "coco_panoptic"}
    assert len(set(ADAPTORS.values())) == len(SETS)


@every_tree
def test_a_picture_without_mask_and_a_mask_without_picture_are_named(tree, tmp_path):
    tree.draw(tmp_path)
    first, second = tree.names
    tree.path(tmp_path, tree.mask, first).unlink()
    tree.path(tmp_path, tree.image, second).unlink()
    folder = opened(tree, tmp_path)
    found = " ".join(missing_files(folder))
    assert "has no picture" in found
    assert str(tree.path(tmp_path, tree.image, second)) in found
    if "detectron2/pc" not in tree.mask:  # whose pictures are those that have a mask
        assert f"has no mask {tree.path(tmp_path, tree.mask, first)}" in found
    with pytest.raises(DataError, match="has no picture") as refusal:
        refuse_missing_files(folder)
    assert "Expected: <root>" in str(refusal.value)


@every_tree
def test_files_are_matched_by_name_not_by_position(tree, tmp_path):
    expected = tree.draw(tmp_path)
    folder = tree.path(tmp_path, tree.image, tree.names[0]).parent
    save_png(np.zeros((*SIZE, 3), np.uint8), folder / "0000 a stranger.txt.bak.png")
    for stem, mask in expected.items():
        assert np.array_equal(opened(tree, tmp_path).mask(stem), mask)


@every_tree
def test_a_missing_folder_is_an_error_that_shows_the_layout(tree, tmp_path):
    tree.draw(tmp_path)
    for pattern in (tree.image, tree.mask):
        top = tmp_path / tree.home / pattern.split("/")[0]
        moved = top.rename(tmp_path / "elsewhere")
        with pytest.raises(DataError, match=r"Expected: <root>/") as refusal:
            assert opened(tree, tmp_path).stems
        assert len(str(refusal.value).splitlines()) == 2
        moved.rename(top)
    with pytest.raises(DataError, match=r"Expected: <root>/"):
        opened(tree, tmp_path / tree.home / tree.mask.split("/")[0])
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        opened(tree, tmp_path / "nowhere")


@every_tree
def test_an_empty_folder_is_an_error_that_shows_the_layout(tree, tmp_path):
    tree.draw(tmp_path)
    for name in tree.names:
        tree.path(tmp_path, tree.mask, name).unlink()
    with pytest.raises(DataError, match="Expected: <root>/"):
        refuse_missing_files(opened(tree, tmp_path))


@every_tree
def test_values_that_the_set_does_not_have_are_named(tree, tmp_path):
    tree.draw(tmp_path)
    path = tree.path(tmp_path, tree.mask, tree.names[0])
    stem = tree.names[0]
    if tree.dataset == "camvid32":
        save_png(np.full((*SIZE, 3), 7, np.uint8), path)
        with pytest.raises(DataError, match=r"#070707, which .* does not name"):
            opened(tree, tmp_path).mask(stem)
        return
    below = 60000 if max(tree.values) > 255 else 254
    odd = next(value for value in range(below, 0, -1) if value not in tree.values)
    tree.save(np.full(SIZE, odd), path)
    with pytest.raises(DataError, match=rf"has the values {odd}; accepted are \d+ to \d+"):
        opened(tree, tmp_path).mask(stem)


def test_masks_of_ade20k_that_are_reduced_already_are_refused(tmp_path):
    tree = TREES["ade20k"]
    tree.draw(tmp_path)
    path = tree.path(tmp_path, tree.mask, tree.names[0])
    stored = np.array(Image.open(path))
    Image.fromarray(stored - 1).save(path)  # 0 becomes 255
    with pytest.raises(DataError, match=r"values 255; accepted are 1 to 150 .* 0 \(no class\)"):
        opened(tree, tmp_path).mask(tree.names[0])


@every_tree
def test_a_split_that_is_not_there_is_refused(tree, tmp_path):
    tree.draw(tmp_path)
    with pytest.raises(DataError, match="nosuch"):
        open_set(tree.dataset, tmp_path, "nosuch")


@pytest.mark.parametrize("name", ["voc21", "context60", "camvid32, as published"])
def test_a_missing_list_is_named_with_those_there_are(name, tmp_path):
    tree = TREES[name]
    tree.draw(tmp_path)
    path = next((tmp_path / tree.home).rglob(f"{tree.split}.txt"))
    path.rename(path.with_name("mine.txt"))
    with pytest.raises(DataError, match=rf"no list '{tree.split}.txt' in .*; lists there: .*mine"):
        opened(tree, tmp_path)


def test_a_list_that_would_count_a_picture_twice_is_refused(tmp_path):
    tree = TREES["voc20"]
    tree.draw(tmp_path)
    path = next((tmp_path / tree.home).rglob("val.txt"))
    path.write_text("\n".join([*tree.names, tree.names[0]]))
    with pytest.raises(DataError, match="names '2008_000002' more than once"):
        opened(tree, tmp_path)


@pytest.mark.parametrize("split", ["x" * 300, "a\0b", "../val"])
def test_a_split_that_can_be_no_file_is_an_error_of_the_set(split, tmp_path):
    TREES["voc21"].draw(tmp_path)
    with pytest.raises(DataError, match="there is no list"):
        open_set("voc21", tmp_path, split)


def test_the_annotations_of_context_must_be_converted_first(tmp_path):
    tree = TREES["context59"]
    tree.draw(tmp_path)
    home = tmp_path / tree.home
    shutil.rmtree(home / "SegmentationClassContext")
    (home / "trainval_merged.json").write_text("{}")
    with pytest.raises(DataError, match=r"pascal_context\.py of mmsegmentation"):
        opened(tree, tmp_path)


def test_the_labels_of_another_version_of_vistas_are_refused(tmp_path):
    tree = TREES["mapillary"]
    expected = tree.draw(tmp_path)
    home = tmp_path / tree.home
    vistas_config(home, ())
    with pytest.raises(DataError, match=r"66 labels that are not the 66 of version 1\.2"):
        opened(tree, tmp_path)
    (home / "config.json").write_text("[]")
    with pytest.raises(DataError, match=r"no config\.json"):
        opened(tree, tmp_path)
    names = read_labels("mapillary").columns["name"]
    (home / "config.json").write_text(json.dumps({"labels": [{"readable": n} for n in names]}))
    assert list(opened(tree, tmp_path).stems) == list(expected)


def test_background_differs_between_the_two_of_a_pair(tmp_path):
    for without, counted in (("voc20", "voc21"), ("context59", "context60")):
        tree = TREES[without]
        tree.draw(tmp_path)
        stem = tree.names[0]
        left_out = open_set(without, tmp_path).mask(stem)
        kept = open_set(counted, tmp_path)
        assert kept.classes[0] == "background"
        assert np.array_equal(kept.mask(stem) == 0, left_out == BACKGROUND)
        assert np.array_equal(kept.mask(stem)[left_out >= 0], left_out[left_out >= 0] + 1)
