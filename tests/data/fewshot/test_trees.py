import json
import shutil

import numpy as np
import pytest
from fewshot_trees import coco_json_tree, coco_tree, fss_tree, save_jpeg, save_png, voc_tree
from PIL import Image

from lseg.data.base.sources import BACKGROUND, IGNORE, Part
from lseg.data.fewshot.benchmarks import (
    CocoBenchmark,
    FssBenchmark,
    PairsBenchmark,
    PascalBenchmark,
)
from lseg.data.sets.class_names import COCO, COCO_IDS, PASCAL, natural_name
from lseg.data.sets.coco import CocoTree
from lseg.data.sets.fss import FssTree
from lseg.data.sets.voc import VocTree
from lseg.errors import ConfigError, DataError


def test_there_are_20_and_80_classes_in_the_originals_spelling():
    assert (len(PASCAL), len(COCO), len(COCO_IDS)) == (20, 80, 80)
    assert (len(set(PASCAL)), len(set(COCO))) == (20, 80)
    assert set(PASCAL) <= set(COCO)
    assert dict(zip(COCO_IDS, COCO, strict=True))[90] == "toothbrush"
    assert dict(zip(COCO_IDS, COCO, strict=True))[18] == "dog"
    assert natural_name("pottedplant") == "potted plant"
    assert natural_name("abe's_flyingfish") == "abe's flyingfish"


def test_voc_masks(tmp_path):
    tree = VocTree(voc_tree(tmp_path))
    for stem in tree.stems(Part.TEST):
        stored = np.array(Image.open(tmp_path / "VOC2012/SegmentationClassAug" / f"{stem}.png"))
        mask = tree.mask(stem)
        assert mask.dtype == np.int16
        assert (mask == BACKGROUND).sum() == (stored == 0).sum() > 0
        assert (mask == IGNORE).sum() == (stored == 255).sum() > 0
        for index in range(20):
            assert np.array_equal(mask == index, stored == index + 1)
    save_png(np.full((8, 8), 21, np.uint8), tree.mask_path("odd"))
    with pytest.raises(DataError, match="21"):
        tree.mask("odd")


def test_coco_masks_ignore_nothing(tmp_path):
    tree = CocoTree(coco_tree(tmp_path))
    for stem in tree.stems(Part.TEST):
        stored = np.array(Image.open(tmp_path / "COCO2014/annotations" / f"{stem}.png"))
        mask = tree.mask(stem)
        assert np.array_equal(mask == BACKGROUND, (stored == 0) | (stored == 255))
        assert mask.min() == BACKGROUND
        assert np.array_equal(mask[mask >= 0], stored[(stored > 0) & (stored < 255)] - 1)
    save_png(np.full((8, 8), 81, np.uint8), tree.mask_path("val2014/odd"))
    with pytest.raises(DataError, match="81"):
        tree.mask("val2014/odd")


def test_coco_masks_from_the_instances_file(tmp_path):
    tree = CocoTree(coco_json_tree(tmp_path))
    assert tree.stems(Part.TEST) == ["val2014/a", "val2014/b"]
    wanted = np.full((40, 60), BACKGROUND)
    wanted[5:35, 10:50] = COCO.index("person")
    wanted[10:20, 20:30] = COCO.index("dog")  # the smaller one, though it comes first
    assert np.array_equal(tree.mask("val2014/a"), wanted)
    crowd = np.full((40, 60), BACKGROUND)
    crowd[:, 10:20] = COCO.index("car")
    assert np.array_equal(tree.mask("val2014/b"), crowd)
    source = CocoBenchmark(str(tmp_path)).open(0, Part.TEST)
    assert [(source.stem(p), source.classes[c]) for p, c in source.entries] == [
        ("val2014/a", "person"), ("val2014/a", "dog")
    ]  # fmt: skip
    assert source.present(0) == (0, 16)
    assert source.image(0).size == (60, 40)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values["annotations"][0].update(category_id=12),
        lambda values: values["annotations"][0].update(image_id=99),
        lambda values: values.pop("images"),
    ],
)
def test_a_wrong_instances_file_is_refused(tmp_path, change):
    coco_json_tree(tmp_path)
    path = tmp_path / "COCO2014/annotations/instances_val2014.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match=str(path)):
        CocoBenchmark(str(tmp_path)).open(0, Part.TEST)


def test_fss_masks_begin_at_128(tmp_path):
    fss_tree(tmp_path)
    tree = FssTree(tmp_path, Part.TEST, tmp_path / "splits")
    assert tree.classes == ("ac_wall", "melon", "zebra_fish")
    assert tree.offset == 760
    stored = np.array(Image.open(tmp_path / "FSS-1000/melon/3.png"))[..., 0]
    assert set(np.unique(stored)) == {0, 127, 128, 255}
    assert np.array_equal(tree.mask("melon/3"), np.where(stored >= 128, 1, BACKGROUND))
    assert tree.stems(Part.TEST)[:3] == ["ac_wall/1", "ac_wall/10", "ac_wall/2"]


def test_without_lists_sorted_fss_folders_are_divided_52_24_24(tmp_path):
    names = [f"class_{number:02d}" for number in range(25)]
    fss_tree(tmp_path, names, pictures=1, size=(8, 8))
    assert FssTree(tmp_path, Part.TRAIN).classes == tuple(names[:13])
    assert FssTree(tmp_path, Part.TEST).classes == tuple(names[-6:])


def test_derived_lists_name_what_covers_a_thousandth_and_are_cached(tmp_path, monkeypatch):
    voc_tree(tmp_path)
    mask = np.zeros((100, 100), np.uint8)
    mask.flat[:9] = 6
    mask.flat[20:30] = 7
    save_png(mask, tmp_path / "VOC2012/SegmentationClassAug/a.png")
    source = PascalBenchmark(str(tmp_path)).open(1, Part.TEST)
    found = [(source.stem(p), c) for p, c in source.entries]
    assert found[-1] == ("a", 6)  # ten pixels of 10,000, nine are too few
    assert found == sorted(found)
    assert {c for _, c in found} == {5, 6, 7, 8, 9}
    monkeypatch.setattr(VocTree, "mask", lambda self, stem: pytest.fail("read again"))
    again = PascalBenchmark(str(tmp_path)).open(1, Part.TEST)
    assert again.entries == source.entries
    PascalBenchmark(str(tmp_path)).open(3, Part.TEST)  # from the same reading
    save_png(mask + 1, tmp_path / "VOC2012/SegmentationClassAug/a.png")
    with pytest.raises(pytest.fail.Exception):
        PascalBenchmark(str(tmp_path)).open(1, Part.TEST)


def test_vocs_own_list_separates_training_from_test_pictures(tmp_path):
    voc_tree(tmp_path)
    with pytest.raises(DataError, match="ImageSets"):
        PascalBenchmark(str(tmp_path)).open(0, Part.TRAIN)
    folder = tmp_path / "VOC2012/ImageSets/Segmentation"
    folder.mkdir(parents=True)
    (folder / "val.txt").write_text("2007_000000\n2007_000003\n")
    benchmark = PascalBenchmark(str(tmp_path))
    test, train = (benchmark.open(1, part) for part in (Part.TEST, Part.TRAIN))
    assert set(test.stems) == {"2007_000000", "2007_000003"}
    assert not set(test.stems) & set(train.stems)
    assert {c for _, c in test.entries} <= set(benchmark.folds.held_out(1))
    assert {c for _, c in train.entries} <= set(benchmark.folds.seen(1))


def test_pascal_training_lists_are_those_of_the_other_folds(tmp_path):
    voc_tree(tmp_path)
    for fold in range(4):
        path = tmp_path / f"splits/pascal/trn/fold{fold}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"p{fold}__{5 * fold + 2:02d}\n")
    source = PascalBenchmark(str(tmp_path), str(tmp_path / "splits")).open(2, Part.TRAIN)
    assert [(source.stem(p), c) for p, c in source.entries] == [("p0", 1), ("p1", 6), ("p3", 16)]


def test_pairs_folds_are_interleaved(tmp_path):
    rng = np.random.default_rng(0)
    save_png(rng.integers(0, 6, (20, 20), np.uint8), tmp_path / "m.png")
    save_jpeg(rng.integers(0, 256, (20, 20, 3), np.uint8), tmp_path / "i.jpg")
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\ne\nf\n")
    (tmp_path / "val.txt").write_text("i.jpg m.png\n")
    benchmark = PairsBenchmark(str(tmp_path))
    assert [benchmark.folds.held_out(k) for k in range(4)] == [(0, 4), (1, 5), (2,), (3,)]
    assert [c for _, c in benchmark.open(1, Part.TEST).entries] == [1, 5]


def test_missing_folders_pictures_and_folds_are_clear(tmp_path):
    for benchmark in (PascalBenchmark, CocoBenchmark, FssBenchmark):
        with pytest.raises(DataError, match="there is no folder"):
            benchmark(str(tmp_path / "none"))
        with pytest.raises((DataError, ConfigError), match="Expected: <root>"):
            benchmark(str(tmp_path)).open(0, Part.TEST)
    voc_tree(tmp_path)
    with pytest.raises(ConfigError, match="fold 4"):
        PascalBenchmark(str(tmp_path)).open(4, Part.TEST)
    with pytest.raises(DataError, match="no mask of pascal5i has a class of this fold"):
        PascalBenchmark(str(tmp_path)).open(0, Part.TEST)
    with pytest.raises(DataError, match=r"fold0\.txt"):
        PascalBenchmark(str(tmp_path), str(tmp_path / "splits")).open(0, Part.TEST)
    source = PascalBenchmark(str(tmp_path), str(tmp_path / "splits")).open(1, Part.TEST)
    shutil.rmtree(tmp_path / "VOC2012/JPEGImages")
    with pytest.raises(DataError, match="JPEGImages"):
        source.image(0)
    fss_tree(tmp_path)
    shutil.rmtree(tmp_path / "FSS-1000/melon")
    with pytest.raises(DataError, match="'melon'"):
        FssBenchmark(str(tmp_path), str(tmp_path / "splits")).open(0, Part.TEST)


def test_a_list_must_keep_to_its_fold(tmp_path):
    voc_tree(tmp_path)
    path = tmp_path / "splits/pascal/val/fold1.txt"
    path.write_text(path.read_text() + "2007_000000__01\n")
    with pytest.raises(DataError, match="aeroplane"):
        PascalBenchmark(str(tmp_path), str(tmp_path / "splits")).open(1, Part.TEST)
