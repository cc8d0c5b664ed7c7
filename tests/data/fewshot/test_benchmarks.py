import json
import shutil

import numpy as np
import pytest
from fewshot_trees import coco_json_tree, fss_tree, save_jpeg, save_png, voc_tree

from lseg.data.fewshot.benchmarks import (
    CocoBenchmark,
    FssBenchmark,
    PairsBenchmark,
    PascalBenchmark,
)
from lseg.data.fewshot.episode_data import EpisodeData
from lseg.data.fewshot.episodes import Episode
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.lists import BenchmarkFolders, fss_folder
from lseg.data.fewshot.tasks import EveryEntry, SeenVocabularyData, TwoWayData, Vocabulary
from lseg.data.sets.voc import VocFolder
from lseg.errors import ConfigError, DataError


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


def test_without_lists_sorted_fss_folders_are_divided_52_24_24(tmp_path):
    names = [f"class_{number:02d}" for number in range(25)]
    fss_tree(tmp_path, names, pictures=1, size=(8, 8))
    folders = BenchmarkFolders(tmp_path, None)
    assert fss_folder(folders, Part.TRAIN).classes == tuple(names[:13])
    assert fss_folder(folders, Part.TEST).classes == tuple(names[-6:])


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
    monkeypatch.setattr(VocFolder, "mask", lambda self, stem: pytest.fail("read again"))
    again = PascalBenchmark(str(tmp_path)).open(1, Part.TEST)
    assert again.entries == source.entries
    PascalBenchmark(str(tmp_path)).open(3, Part.TEST)  # from the same reading
    save_png(mask + 1, tmp_path / "VOC2012/SegmentationClassAug/a.png")
    with pytest.raises(pytest.fail.Exception):
        PascalBenchmark(str(tmp_path)).open(1, Part.TEST)


@pytest.mark.parametrize("place", ["/dev/null/cache", "n" * 300])
def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch, place):
    voc_tree(tmp_path)
    listed = PascalBenchmark(str(tmp_path)).open(1, Part.TEST).entries
    monkeypatch.setenv("LSEG_CACHE", place)
    assert PascalBenchmark(str(tmp_path)).open(1, Part.TEST).entries == listed


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


@pytest.mark.parametrize("task", [TwoWayData, SeenVocabularyData, None])
def test_a_mask_of_another_size_is_refused_by_every_task(tmp_path, task):
    voc_tree(tmp_path)
    source = PascalBenchmark(str(tmp_path), str(tmp_path / "splits")).open(1, Part.TEST)
    picture, kind = source.entries[0]
    save_png(np.full((30, 40), kind + 1, np.uint8), source.folder.mask_path(source.stem(picture)))
    if task is None:
        data = EpisodeData(source, [Episode(picture, kind)], 32)
    else:
        data = task(source, Vocabulary(source), EveryEntry(source.entries), 32)
    with pytest.raises(DataError, match=r"mask 40x30 pixels .* must agree"):
        data[0]


def test_a_pairs_list_may_name_pictures_outside_its_folder(tmp_path):
    """As absolute paths; and one that lacks its mask is named."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    save_png(np.ones((20, 20), np.uint8), elsewhere / "m.png")
    save_jpeg(np.zeros((20, 20, 3), np.uint8), elsewhere / "i.jpg")
    (folder / "classes.txt").write_text("a\nb\n")
    (folder / "val.txt").write_text(f"{elsewhere}/i.jpg {elsewhere}/m.png\n")
    source = PairsBenchmark(str(folder)).open(1, Part.TEST)
    assert source.stem(0) == str(elsewhere / "i.jpg")
    assert (source.read(0).mask == 1).all()
    (elsewhere / "m.png").unlink()
    with pytest.raises(DataError, match=r"m\.png, named in line 1 of .*val\.txt, does not exist"):
        PairsBenchmark(str(folder)).open(1, Part.TEST)


def test_missing_folders_pictures_and_folds_are_clear(tmp_path):
    for benchmark in (PascalBenchmark, CocoBenchmark, FssBenchmark):
        with pytest.raises(DataError, match="there is no folder"):
            benchmark(str(tmp_path / "none"))
        with pytest.raises((DataError, ConfigError), match="Expected: <root>"):
            benchmark(str(tmp_path)).open(0, Part.TEST)
    voc_tree(tmp_path)
    with pytest.raises(ConfigError, match="fold 4 does not exist: folds are 0 to 3"):
        PascalBenchmark(str(tmp_path)).open(4, Part.TEST)
    with pytest.raises(DataError, match="no mask of pascal5i has a class of this fold"):
        PascalBenchmark(str(tmp_path)).open(0, Part.TEST)
    with pytest.raises(DataError, match=r"fold0\.txt"):
        PascalBenchmark(str(tmp_path), str(tmp_path / "splits")).open(0, Part.TEST)
    source = PascalBenchmark(str(tmp_path), str(tmp_path / "splits")).open(1, Part.TEST)
    shutil.rmtree(tmp_path / "VOC2012/JPEGImages")
    with pytest.raises(DataError, match="JPEGImages"):
        source.read(0)
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
