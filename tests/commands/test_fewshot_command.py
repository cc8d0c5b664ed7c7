import json
import os
import pickle

import numpy as np
import pytest
from drawing import save_lseg
from fewshot_trees import coco_tree, fss_tree, voc_tree
from PIL import Image

from lseg.data.sets.class_names import PASCAL

WIDTH = 16
NAMES = ["others", "background", "potted plant", "sky", *PASCAL, "ac_wall", "melon", "zebra_fish"]
KEYS = {"miou", "fb_iou", "per_class", "folds"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_lseg(tmp_path_factory.mktemp("model"), NAMES)


@pytest.fixture
def fewshot(run, checkpoint, tmp_path):
    """Runs `lseg fewshot` on a tree with small pictures; returns the exit code, output, error."""

    def call(benchmark, *more, root=tmp_path):
        return run(
            "fewshot", "--benchmark", benchmark, "--data-root", root, "--checkpoint", checkpoint,
            "--size", "64", "--workers", "0", *more,
        )  # fmt: skip

    return call


def figures(path):
    return json.loads(path.read_text())


def test_pascal_prints_a_table_beside_the_papers_and_writes_json(fewshot, tmp_path):
    voc_tree(tmp_path)
    out = tmp_path / "out" / "result.json"
    code, printed, _ = fewshot(
        "pascal5i", "--fold", "1", "--splits", tmp_path / "splits", "--episodes", "30",
        "--save-pictures", "2", "--out", out,
    )  # fmt: skip
    assert code == 0
    for part in ("fold 1", "mIoU", "FB-IoU", "LSeg ResNet-101", "53.8", "64.1†", "30"):
        assert part in printed
    found = figures(out)
    assert set(found) >= KEYS
    assert list(found["per_class"]) == list(PASCAL[5:10])
    assert found["miou"] == pytest.approx(np.mean(list(found["per_class"].values())))
    assert f"{found['miou']:.2f}" in printed
    assert found["folds"][0]["episodes"] == 30
    assert found["folds"][0]["class_numbers"]["bus"] == 5
    assert found["protocol"] == {"size": 64, "background": "others", "visual_weight": 0.0}
    assert found["network"]["embed_dim"] == WIDTH
    assert found["versions"]["torch"]
    pictures = sorted((out.parent / "result_pictures").glob("*.png"))
    assert len(pictures) == 2
    assert Image.open(pictures[0]).width >= 3 * 64


def test_all_folds_from_masks_and_labels_in_a_file(fewshot, tmp_path):
    voc_tree(tmp_path)
    for fold in (0, 2, 3):  # masks of every fold's classes
        voc_tree(tmp_path / f"more{fold}", fold, count=2)
        for path in (tmp_path / f"more{fold}").rglob("*.*g"):
            new = tmp_path / path.relative_to(tmp_path / f"more{fold}")
            path.replace(new.with_name(f"f{fold}{new.name}"))
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(["sky", *PASCAL[1:]]))
    code, _, err = fewshot(
        "pascal5i", "--episodes", "6", "--label-file", labels, "--out", tmp_path / "r.json"
    )
    assert code == 0
    assert "lseg: " not in err
    found = figures(tmp_path / "r.json")
    assert [part["fold"] for part in found["folds"]] == [0, 1, 2, 3]
    assert found["miou"] == pytest.approx(np.mean([part["miou"] for part in found["folds"]]))
    assert found["fb_iou"] == pytest.approx(np.mean([part["fb_iou"] for part in found["folds"]]))
    assert list(found["per_class"]) == list(PASCAL)
    assert found["folds"][0]["labels"]["aeroplane"] == "sky"


@pytest.mark.slow  # two more interpreters start
def test_two_processes_give_the_table_of_one(fewshot, tmp_path):
    coco_tree(tmp_path)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(PASCAL[index % 20] for index in range(80)))
    asked = [
        "--fold", "2", "--splits", tmp_path / "splits", "--episodes", "21", "--shots", "1",
        "--batch-size", "4", "--label-file", labels,
    ]  # fmt: skip
    assert fewshot("coco20i", *asked, "--out", tmp_path / "one.json")[0] == 0
    code, *_ = fewshot("coco20i", *asked, "--devices", "2", "--out", tmp_path / "two.json")
    assert code == 0
    one, two = (figures(tmp_path / name) for name in ("one.json", "two.json"))
    assert one["folds"] == two["folds"]
    assert one["protocol"]["visual_weight"] > 0


def test_fss_numbers_and_a_label_file_of_a_thousand(fewshot, tmp_path):
    fss_tree(tmp_path)
    names = ["melon"] * 760 + ["ac_wall", "melon", "zebra_fish"] + ["melon"] * 237
    (tmp_path / "labels.txt").write_text("\n".join(names))
    runs = {}
    for name, more in (("own", []), ("file", ["--label-file", tmp_path / "labels.txt"])):
        out = tmp_path / f"{name}.json"
        code, printed, _ = fewshot("fss1000", "--splits", tmp_path / "splits", *more, "--out", out)
        assert code == 0
        assert "87.8" in printed
        runs[name] = figures(out)
    assert runs["own"]["folds"] == runs["file"]["folds"]
    assert runs["own"]["folds"][0]["episodes"] == 30
    assert runs["own"]["folds"][0]["class_numbers"] == {
        "ac_wall": 760, "melon": 761, "zebra_fish": 762
    }  # fmt: skip


def test_natural_names_and_another_background(fewshot, tmp_path):
    voc_tree(tmp_path, fold=3)
    code, _, err = fewshot("pascal5i", "--fold", "3", "--natural-names")
    assert code == 0
    assert '"television" answered as "tvmonitor"' in err  # not in the table: it was asked for
    code, *_ = fewshot(
        "pascal5i", "--fold", "3", "--background-label", "background", "--episodes", "3",
        "--out", tmp_path / "r.json",
    )  # fmt: skip
    assert code == 0
    assert figures(tmp_path / "r.json")["protocol"]["background"] == "background"


def check_refused(result, *parts):
    code, _, err = result
    assert code == 2
    said = err.replace("\r", "\n").splitlines()  # after a progress bar, where reading had begun
    assert sum(line.startswith("lseg: ") for line in said) == 1
    assert "Traceback" not in err
    for part in parts:
        assert str(part) in err


def test_mistakes_have_one_clear_message(fewshot, run, tmp_path, checkpoint):
    check_refused(fewshot("coco20i", root=tmp_path / "none"), tmp_path / "none")
    check_refused(fewshot("coco20i"), "annotations", "Expected: <root>/COCO2014")
    check_refused(run("fewshot", "--benchmark", "fss1000", "--checkpoint", checkpoint), "data-root")
    voc_tree(tmp_path)
    splits = ["--splits", tmp_path / "splits"]
    check_refused(fewshot("pascal5i", "--fold", "4", *splits), "fold 4", "0 to 3")
    check_refused(fewshot("pascal5i", "--fold", "x", *splits), "--fold x")
    check_refused(fewshot("pascal5i", "--fold", "0", *splits), "fold0.txt")
    first = [*splits, "--fold", "1"]
    check_refused(fewshot("pascal5i", *first, "--visual-weight", "2"), "--visual-weight 2")
    check_refused(fewshot("pascal5i", *first, "--batch-size", "0"), "--batch-size")
    check_refused(fewshot("pascal5i", *first, "--label-file", tmp_path / "none"), "none")
    (tmp_path / "labels.txt").write_text("sky\n" * 19)
    check_refused(fewshot("pascal5i", *first, "--label-file", tmp_path / "labels.txt"), "19", "20")
    path = tmp_path / "splits/pascal/val/fold1.txt"
    path.write_text("2007_999999__06\n")
    check_refused(fewshot("pascal5i", *first), "2007_999999")
    path.write_text("")
    check_refused(fewshot("pascal5i", *first), path, "empty")


def test_a_malicious_list_is_refused(fewshot, tmp_path):
    coco_tree(tmp_path)
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    path = tmp_path / "splits/coco/val/fold2.pkl"
    path.write_bytes(pickle.dumps({2: Evil()}))
    result = fewshot("coco20i", "--fold", "2", "--splits", tmp_path / "splits")
    check_refused(result, path, "Nothing of it was run")
    assert not marker.exists()


def test_an_own_folder_is_a_source_of_episodes(fewshot, run, data, tmp_path):
    (data / "classes.txt").write_text("sky\ncar\nmelon")
    out = tmp_path / "r.json"
    code, *_ = fewshot("pairs", "--shots", "1", "--out", out, root=data)
    assert code == 0
    assert [part["episodes"] for part in figures(out)["folds"]] == [2, 2, 2]  # one a class
    assert list(figures(out)["per_class"]) == ["sky", "car", "melon"]
    mask = np.array(Image.open(data / "one.mask.png"))
    mask[mask == 1] = 0
    Image.fromarray(mask).save(data / "one.mask.png")
    code, _, err = fewshot("pairs", "--shots", "1", "--fold", "1", root=data)
    assert code == 2
    assert "2 test picture(s)" in err
    assert fewshot("pairs", "--fold", "1", root=data)[0] == 0


def test_a_pairs_folder_may_list_pictures_that_lie_elsewhere(fewshot, data, tmp_path):
    shared = ["--fold", "0", "--background-label", "others", "--out"]
    (data / "classes.txt").write_text("sky\nmelon\n")
    for name in ("one", "two"):
        Image.fromarray(np.eye(40, 56, dtype=np.uint8)).save(data / f"{name}.mask.png")
    assert fewshot("pairs", *shared, tmp_path / "inside.json", root=data)[0] == 0
    away = tmp_path / "away"
    away.mkdir()
    lines = []
    for name in ("one", "two"):
        for kind in ("png", "mask.png"):
            (data / f"{name}.{kind}").rename(away / f"{name}.{kind}")
        lines.append(f"{away / name}.png {away / name}.mask.png\n")
    (data / "val.txt").write_text("".join(lines))
    assert fewshot("pairs", *shared, tmp_path / "outside.json", root=data)[0] == 0
    inside, outside = (figures(tmp_path / f"{name}side.json") for name in ("in", "out"))
    assert outside["folds"] == inside["folds"]
