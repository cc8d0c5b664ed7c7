"""A mask of another size than its picture is one error everywhere, which names both."""

import json

import numpy as np
import pytest
from drawing import save_lseg
from fewshot_trees import coco_json_tree, coco_tree, fss_tree, save_png, voc_tree
from PIL import Image

from lseg.data.fewshot.benchmarks import (
    CocoBenchmark,
    FssBenchmark,
    PairsBenchmark,
    PascalBenchmark,
)
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.zeroshot import ZeroShotDataModule
from lseg.data.sets.class_names import COCO, PASCAL
from lseg.errors import DataError


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    names = ["others", "ac_wall", "melon", "zebra_fish", *PASCAL, *COCO]
    return save_lseg(tmp_path_factory.mktemp("model"), list(dict.fromkeys(names)))


def exchange(path):
    """Exchanges height and width of a mask, and keeps its values."""
    with Image.open(path) as image:
        mask = np.asarray(image)
    save_png(np.ascontiguousarray(mask.swapaxes(0, 1)), path)


def pascal(root):
    voc_tree(root, count=3)
    exchange(root / "VOC2012/SegmentationClassAug/2007_000000.png")
    return PascalBenchmark(str(root)), 1, ["2007_000000.jpg", "2007_000000.png"]


def coco_png(root):
    coco_tree(root, count=3)
    exchange(root / "COCO2014/annotations/val2014/COCO_val2014_000000000000.png")
    files = ["COCO_val2014_000000000000.jpg", "COCO_val2014_000000000000.png"]
    return CocoBenchmark(str(root)), 2, files


def coco_json(root):
    coco_json_tree(root)
    path = root / "COCO2014/annotations/instances_val2014.json"
    values = json.loads(path.read_text())
    for picture in values["images"]:
        picture["height"], picture["width"] = picture["width"], picture["height"]
    values["annotations"] = values["annotations"][:2]
    path.write_text(json.dumps(values))
    return CocoBenchmark(str(root)), 0, ["a.jpg", "instances_val2014.json"]


def fss(root):
    fss_tree(root)
    for number in range(1, 11):
        exchange(root / f"FSS-1000/zebra_fish/{number}.png")
    return FssBenchmark(str(root)), 0, ["zebra_fish/1", ".jpg", ".png"]


def pairs(root):
    rng = np.random.default_rng(0)
    save_png(rng.integers(0, 256, (40, 56, 3), np.uint8), root / "a.png")
    save_png(np.ones((56, 40), np.uint8), root / "a_mask.png")
    for split in ("train", "val"):
        (root / f"{split}.txt").write_text("a.png a_mask.png\n")
    (root / "classes.txt").write_text("others\nmelon\n")
    return PairsBenchmark(str(root)), 1, ["a.png", "a_mask.png"]


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("pascal5i", pascal), ("coco20i", coco_png), ("coco20i", coco_json), ("fss1000", fss),
        ("pairs", pairs),
    ],
)  # fmt: skip
def test_every_reader_refuses_it(run, checkpoint, tmp_path, name, build):
    benchmark, fold, files = build(tmp_path)
    split = [] if name in ("pairs", "fss1000") else ["--split", "val"]
    code, out, _ = run("data", "check", "--dataset", name, "--data-root", tmp_path, *split)
    assert code == 2
    (line, *_) = (line for line in out.splitlines() if "must agree" in line)
    said = [line]
    more = ["--data-root", tmp_path, "--checkpoint", checkpoint, "--workers", "0", "--size", "48"]
    commands = [("fewshot", "--benchmark", name, "--fold", fold)]
    if split == []:  # the small trees of the others have classes of one fold alone
        commands.append(("evaluate", "--dataset", name))
    for words in commands:
        code, _, err = run(*words, *more)
        assert code == 2
        said += [line for line in err.splitlines() if "lseg: " in line]
    data = ZeroShotDataModule(benchmark, fold, size=32)
    source = benchmark.open(fold, Part.TEST)
    with pytest.raises(DataError) as caught:
        list(data._two_way(source, source.entries))
    said.append(str(caught.value))
    assert len(said) == 2 + len(commands)
    for text in said:
        assert "image " in text
        assert "mask " in text
        assert all(file in text for file in files)
        assert "\n" not in text
