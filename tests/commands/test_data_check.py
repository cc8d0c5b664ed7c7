import json
import math

import numpy as np
from coco_trees import coco20i_tree, image, instances, save_picture, thing
from fewshot_trees import coco_json_tree, coco_tree, fss_tree, save_png, voc_tree


def check(run, dataset, root, *more):
    return run("data", "check", "--dataset", dataset, "--data-root", root, *more)


def test_sound_trees_pass(run, tmp_path):
    for name, build in (("pascal5i", voc_tree), ("coco20i", coco_tree), ("fss1000", fss_tree)):
        build(tmp_path)
        for more in ([], ["--splits", tmp_path / "splits", "--split", "val"]):
            code, out, err = check(run, name, tmp_path, *more)
            assert (code, err) == (0, ""), out
            assert "val: " in out
            assert "0 problem(s)" in out
    code, out, _ = check(run, "coco20i", coco_json_tree(tmp_path / "json"))
    assert code == 0
    assert "val: 2 pictures, 0 problem(s)" in out


def test_missing_and_corrupt_files_are_counted(run, tmp_path):
    voc_tree(tmp_path)
    images, masks = (tmp_path / "VOC2012" / name for name in ("JPEGImages", "SegmentationClassAug"))
    (images / "2007_000001.jpg").unlink()
    (images / "2007_000002.jpg").write_bytes((images / "2007_000002.jpg").read_bytes()[:100])
    (masks / "2007_000003.png").unlink()
    (masks / "2007_000004.png").write_bytes(b"no mask")
    save_png(np.full((40, 56), 99, np.uint8), masks / "2007_000006.png")
    save_png(np.full((9, 9), 6, np.uint8), masks / "2007_000007.png")
    save_png(np.zeros((37, 51), np.uint8), masks / "2007_000008.png")
    code, out, err = check(run, "pascal5i", tmp_path, "--splits", tmp_path / "splits")
    assert code == 2
    assert "val: 12 pictures, " in out
    for part in (
        "1 missing image", "1 corrupt image", "1 missing mask", "2 corrupt mask",
        "2 class not in the mask", "train: not checked", "note: there is no list",
        str(masks / "2007_000003.png"), "99",
    ):  # fmt: skip
        assert part in out
    assert err.startswith("lseg: 7 problem(s)")
    assert "Expected: <root>/VOC2012" in err
    code, out, _ = check(run, "pascal5i", tmp_path)
    assert "sizes differ: 2007_000007: image 48x48, mask 9x9 pixels" in out


def test_odd_annotations_are_found_and_empty_ones_noted(run, tmp_path):
    broken = thing([[1, 1, math.nan, 1, 5, 5]], id=9, image_id=2)
    pictures = [image(), image(id=2, file_name="b.jpg")]
    coco20i_tree(tmp_path, instances([thing(), thing([], id=8), broken], pictures))
    save_picture(tmp_path / "COCO2014/val2014/b.jpg")
    code, out, err = check(run, "coco20i", tmp_path)
    assert code == 2
    assert "val: 2 pictures, 1 problem(s): 1 corrupt mask" in out
    assert "note: " in out
    assert "1 annotation(s) without an outline" in out
    assert "annotation 9 of 'b.jpg' has the coordinate nan" in out
    assert err.startswith("lseg: 1 problem(s)")


def test_a_corrupt_file_of_one_part_is_an_error_though_the_other_is_sound(run, tmp_path):
    coco20i_tree(tmp_path, instances([thing(image_id=5)]))
    train = tmp_path / "COCO2014/annotations/instances_train2014.json"
    train.write_text(json.dumps(instances()))
    save_picture(tmp_path / "COCO2014/train2014/a.jpg")
    code, _, err = check(run, "coco20i", tmp_path)
    assert code == 2
    assert "annotation 7 has the image_id 5" in err


def test_an_incomplete_class_is_noted_and_its_orphans_are_problems(run, tmp_path):
    fss_tree(tmp_path)
    (tmp_path / "FSS-1000/melon/4.jpg").unlink()
    (tmp_path / "FSS-1000/melon/7.jpg").unlink()
    (tmp_path / "FSS-1000/melon/7.png").unlink()
    more = ["--splits", tmp_path / "splits", "--split", "val"]
    code, out, _ = check(run, "fss1000", tmp_path, *more)
    assert code == 2
    assert "val: 29 pictures, 1 problem(s): 1 missing image" in out
    assert "melon has 9 pictures instead of 10" in out


def test_nothing_to_check_is_an_error(run, tmp_path):
    for name in ("pascal5i", "coco20i", "fss1000"):
        code, _, err = check(run, name, tmp_path)
        assert code == 2
        assert "Expected: <root>" in err
    code, _, err = check(run, "pascal5i", tmp_path, "--split", "test")
    assert code == 2
    assert "train and val" in err


def test_a_benchmark_without_its_folder_is_an_error_of_one_line(refused):
    assert "--data-root" in refused("data", "check", "--dataset", "pascal5i")


def test_a_sound_pairs_folder_passes(run, data):
    code, out, err = check(run, "pairs", data)
    assert (code, err) == (0, "")
    assert "train: 1 pictures, 0 problem(s)" in out
    assert "val: 2 pictures, 0 problem(s)" in out


def test_all_lists_of_a_pairs_folder_are_checked(run, data):
    (data / "test.txt").write_text("\none.png\tnone.png\n")
    (data / "extra.txt").write_text("one.png one.mask.png\n")
    (data / "half.txt").write_text("one.png\n")
    (data / "README.txt").write_text("Pictures of streets.\n")
    (data / "empty.txt").write_text("")
    code, out, err = check(run, "pairs", data)
    assert code == 2
    for part in (
        "train: 1 pictures, 0 problem(s)", "val: 2 pictures, 0 problem(s)",
        "test: 1 pictures, 1 problem(s)", "extra: 1 pictures, 0 problem(s)",
        "half: cannot be read", "half.txt is 'one.png'", str(data / "none.png"),
        "README.txt: not checked", "empty.txt: not checked",
    ):  # fmt: skip
        assert part in out
    assert "classes" not in out
    assert err.startswith("lseg: 2 problem(s)")


def test_a_pairs_folder_need_not_have_a_train_list(run, data):
    (data / "train.txt").unlink()
    code, out, _ = check(run, "pairs", data)
    assert code == 0
    assert out == "val: 2 pictures, 0 problem(s)\n"


def test_a_pairs_folder_without_lists_or_none_at_all_is_an_error_of_its_own(run, data):
    for name in ("train.txt", "val.txt"):
        (data / name).unlink()
    assert "train.txt" in check(run, "pairs", data)[2]
    assert "there is no data folder" in check(run, "pairs", data / "nowhere")[2]


def test_a_corrupt_mask_and_a_missing_picture_of_a_pairs_folder_are_found(run, data):
    mask = data / "two.mask.png"
    mask.write_bytes(mask.read_bytes()[:60])
    (data / "one.png").unlink()
    code, out, err = check(run, "pairs", data, "--split", "val")
    assert code == 2
    assert "val: 2 pictures, 2 problem(s)" in out
    assert str(mask) in out
    assert str(data / "one.png") in out
    assert err.startswith("lseg: 2 problem(s)")
    assert len(err.splitlines()) == 1
