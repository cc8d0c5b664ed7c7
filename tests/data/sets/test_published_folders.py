"""The masks of published sets, read back as they were drawn."""

import numpy as np
import pytest
from fewshot_trees import coco_json_tree, coco_tree, fss_tree, save_png, voc_tree
from PIL import Image

from lseg.data.base.folder import BACKGROUND, IGNORE
from lseg.data.fewshot.benchmarks import CocoBenchmark, FssBenchmark
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.lists import BenchmarkFolders, fss_folder
from lseg.data.sets.class_names import COCO, COCO_IDS, PASCAL, natural_name
from lseg.data.sets.coco import CocoFolder
from lseg.data.sets.voc import VocFolder
from lseg.errors import DataError


def test_there_are_20_and_80_classes_in_the_originals_spelling():
    assert (len(PASCAL), len(COCO), len(COCO_IDS)) == (20, 80, 80)
    assert (len(set(PASCAL)), len(set(COCO))) == (20, 80)
    assert set(PASCAL) <= set(COCO)
    assert dict(zip(COCO_IDS, COCO, strict=True))[90] == "toothbrush"
    assert dict(zip(COCO_IDS, COCO, strict=True))[18] == "dog"
    assert natural_name("pottedplant") == "potted plant"
    assert natural_name("abe's_flyingfish") == "abe's flyingfish"


def test_voc_masks(tmp_path):
    tree = VocFolder(voc_tree(tmp_path))
    for stem in tree.stems:
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
    tree = CocoFolder(coco_tree(tmp_path))
    for stem in tree.stems:
        stored = np.array(Image.open(tmp_path / "COCO2014/annotations" / f"{stem}.png"))
        mask = tree.mask(stem)
        assert np.array_equal(mask == BACKGROUND, (stored == 0) | (stored == 255))
        assert mask.min() == BACKGROUND
        assert np.array_equal(mask[mask >= 0], stored[(stored > 0) & (stored < 255)] - 1)
    save_png(np.full((8, 8), 81, np.uint8), tree.mask_path("val2014/odd"))
    with pytest.raises(DataError, match="81"):
        tree.mask("val2014/odd")


def test_coco_masks_from_the_instances_file(tmp_path):
    tree = CocoFolder(coco_json_tree(tmp_path))
    assert tree.stems == ["val2014/a", "val2014/b"]
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
    assert source.read(0).image.size == (60, 40)


def test_fss_masks_begin_at_128(tmp_path):
    fss_tree(tmp_path)
    folders = BenchmarkFolders(tmp_path, tmp_path / "splits")
    tree = fss_folder(folders, Part.TEST)
    assert tree.classes == ("ac_wall", "melon", "zebra_fish")
    benchmark = FssBenchmark(str(tmp_path), str(tmp_path / "splits"))
    assert benchmark.open(0, Part.TEST).offset == 760
    stored = np.array(Image.open(tmp_path / "FSS-1000/melon/3.png"))[..., 0]
    assert set(np.unique(stored)) == {0, 127, 128, 255}
    assert np.array_equal(tree.mask("melon/3"), np.where(stored >= 128, 1, BACKGROUND))
    assert tree.stems[:3] == ["ac_wall/1", "ac_wall/10", "ac_wall/2"]


@pytest.mark.parametrize("value", [300, 65535])
def test_values_of_16_bits_are_no_others(tmp_path, value):
    voc_tree(tmp_path, count=1)
    path = tmp_path / "VOC2012" / "SegmentationClassAug" / "2007_000000.png"
    Image.fromarray(np.full((40, 56), value, np.uint16)).save(path)
    with pytest.raises(DataError, match=f"the values {value}"):
        VocFolder(tmp_path).mask("2007_000000")
