"""`lseg evaluate` and `lseg data check` of published sets."""

import json

import numpy as np
import pytest
from coco_trees import expected, instances, save_picture, thing
from coco_trees import write as write_coco
from drawing import save_lseg
from fewshot_trees import fss_tree
from PIL import Image
from published_trees import TREES

from lseg.checkpoints.load import load_model
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.labels import display_name
from lseg.data.sets.label_table import read_labels
from lseg.data.sets.registry import open_set
from lseg.evaluation.semantic import evaluate_pictures
from lseg.inference.views import InferenceConfig

LINES = ["sky", "road", "tree", "other", "sky|road", "road|tree", "tree|other", "other|sky",
         "sky|tree", "road|other", "sky|road|tree"]  # fmt: skip


@pytest.fixture
def evaluate(run, tmp_path):
    """The figures of a tree, or what is said on standard error."""

    def call(name, *more):
        tree, root = TREES[name], tmp_path / "sets"
        if not root.exists():
            tree.draw(root)
        out = tmp_path / "figures.json"
        arguments = ["--dataset", tree.dataset, "--data-root", root, "--split", tree.split]
        code, _, err = run("evaluate", *arguments, "--out", out, *more)
        return json.loads(out.read_text()) if code == 0 else err

    return call


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def knowing(folder, labels):
    """A network that has a vector for every word of these labels."""
    folder.mkdir()
    return save_lseg(folder, list(dict.fromkeys(w for label in labels for w in label.split("|"))))


def test_a_published_set_is_evaluated_by_its_name(evaluate, checkpoint, tmp_path):
    path = write(tmp_path / "labels.txt", LINES)
    figures = evaluate("camvid11", "--label-file", path, "--checkpoint", checkpoint)
    folder = open_set("camvid11", tmp_path / "sets", "test")
    data = FolderDataset(folder, LINES)
    areas = evaluate_pictures(load_model(checkpoint), data, InferenceConfig())
    wanted = areas.pooled().scores()
    assert figures["miou"] == pytest.approx(100 * wanted.miou)
    assert figures["labels"] == dict(zip(folder.classes, LINES, strict=True))
    assert list(figures["per_class"]) == list(read_labels("camvid11").names)
    assert figures["pictures"] == 2


def test_the_words_of_the_label_file_are_asked_for(evaluate, tmp_path):
    table = read_labels("voc").without("background")
    model = knowing(tmp_path / "model", [*table.prompts, *table.names])
    asked = {
        names: list(evaluate("voc20", *options, "--checkpoint", model)["labels"].values())
        for names, options in {
            "plain": [], "own": ["--names", "own"], "synonyms": ["--names", "synonyms"]
        }.items()
    }  # fmt: skip
    assert asked["own"] == list(table.names)
    assert asked["synonyms"] == list(table.prompts)
    assert asked["plain"] == [display_name(prompt) for prompt in table.prompts]
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps({"tvmonitor": "television|monitor"}))
    figures = evaluate("voc20", "--prompts", prompts, "--checkpoint", model)
    assert list(figures["labels"].values()) == [*table.names[:-1], "television|monitor"]


def test_847_classes_and_their_own_ignored_value(evaluate, tmp_path):
    labels = read_labels("ade20k_full").names
    model = knowing(tmp_path / "model", labels)
    figures = evaluate("ade20k_full", "--names", "own", "--checkpoint", model)
    assert len(figures["per_class"]) == 847
    assert None not in figures["per_class"].values()
    data = FolderDataset(open_set("ade20k_full", tmp_path / "sets"), labels, 65535)
    wanted = evaluate_pictures(load_model(model), data, InferenceConfig()).pooled().scores()
    assert figures["miou"] == pytest.approx(100 * wanted.miou)


@pytest.mark.parametrize(
    "name", ["ade20k_full", "voc20", "voc21", "cityscapes, label ids", "camvid32", "coco_stuff"]
)
def test_the_truth_itself_is_right_everywhere_but_where_nothing_counts(name, evaluate, tmp_path):
    tree, maps = TREES[name], tmp_path / "maps"
    maps.mkdir()
    for picture, mask in tree.draw(tmp_path / "sets").items():
        stem = tree.image.split("/")[-1].format(picture.split("/")[-1]).rpartition(".")[0]
        Image.fromarray(mask.clip(0).astype(np.uint16)).save(maps / f"{stem}.png")
    figures = evaluate(name, "--predictions", maps)
    assert (figures["miou"], figures["pixel_accuracy"]) == (100, 100)
    assert (mask < 0).any()


def test_files_that_do_not_match_are_named_before_a_model_is_loaded(evaluate, tmp_path):
    tree = TREES["ade20k"]
    tree.draw(tmp_path / "sets")
    tree.path(tmp_path / "sets", tree.mask, tree.names[1]).unlink()
    err = evaluate("ade20k", "--checkpoint", tmp_path / "no model")
    assert "ADE_val_00000002.jpg has no mask" in err
    assert "`lseg data check --dataset ade20k`" in err
    assert "Expected: <root>/ADEChallengeData2016" in err


def test_options_that_do_not_go_together_are_refused(refused, data, tmp_path):
    pairs = ["evaluate", "--dataset", "pairs", "--data-root", data]
    assert "published sets" in refused(*pairs, "--names", "own")
    labels = write(tmp_path / "labels.txt", LINES[:3])
    assert "choose one" in refused(*pairs, "--label-file", labels, "--prompts", labels)
    assert "--data-root" in refused("evaluate", "--dataset", "ade20k")


def test_a_label_file_works_with_pairs_and_with_benchmarks(run, data, checkpoint, tmp_path):
    out = tmp_path / "figures.json"
    three = write(tmp_path / "three.txt", LINES[4:7])
    options = ["--label-file", three, "--checkpoint", checkpoint, "--out", out]
    code, _, err = run("evaluate", "--dataset", "pairs", "--data-root", data, *options)
    assert code == 0, err
    assert json.loads(out.read_text())["labels"] == dict(
        zip(["sky", "road", "tree"], LINES[4:7], strict=True)
    )
    root = fss_tree(tmp_path / "benchmark")
    words = ["a wall", "a melon", "a zebra fish"]
    model = knowing(tmp_path / "model", ["others", *words])
    options = ["--label-file", write(three, words), "--checkpoint", model, "--out", out]
    where = ["--data-root", root, "--splits", root / "splits"]
    code, _, err = run("evaluate", "--dataset", "fss1000", *where, *options)
    assert code == 0, err
    assert list(json.loads(out.read_text())["labels"].values()) == ["others", *words]


def test_any_instances_file_and_coco_object(run, tmp_path):
    for split in ("val", "val2017"):
        write_coco(tmp_path / f"annotations/instances_{split}.json", instances(
            [thing()], categories=[{"id": 1, "name": "person"}]
        ))  # fmt: skip
        save_picture(tmp_path / split / "a.jpg")
    truth = expected(((1, 4), (2, 6), 1), fill=0)
    (tmp_path / "maps").mkdir()
    Image.fromarray(truth.astype(np.uint8)).save(tmp_path / "maps/a.png")
    for name, count in (("coco", 2), ("coco_object", 81)):
        out = tmp_path / "figures.json"
        where = ["--dataset", name, "--data-root", tmp_path]
        code, _, err = run("evaluate", *where, "--predictions", tmp_path / "maps", "--out", out)
        assert code == 0, err
        figures = json.loads(out.read_text())
        assert list(figures["per_class"])[:2] == ["background", "person"]
        assert (len(figures["per_class"]), figures["miou"]) == (count, 100)
        code, out, err = check(run, name, tmp_path)
        assert (code, err) == (0, "")
        assert "val: 1 pictures, 0 problem(s)" in out
    json_file = tmp_path / "annotations/instances_val.json"
    assert check(run, "coco", json_file)[0] == 0
    json_file.write_text("{")
    code, _, err = check(run, "coco", tmp_path)
    assert code == 2
    assert str(json_file) in err


def check(run, name, root, *more):
    return run("data", "check", "--dataset", name, "--data-root", root, *more)


@pytest.mark.parametrize("name", TREES)
def test_sound_trees_pass(name, run, tmp_path):
    tree = TREES[name]
    tree.draw(tmp_path)
    more = ["--split", tree.split] if tree.split not in ("train", "val") else []
    code, out, err = check(run, tree.dataset, tmp_path, *more)
    assert (code, err) == (0, ""), out
    assert f"{tree.split}: 2 pictures, 0 problem(s)" in out


def test_problems_are_counted_and_listed(run, tmp_path):
    tree = TREES["cityscapes"]
    tree.draw(tmp_path)
    first, second = tree.names
    tree.path(tmp_path, tree.image, first).unlink()
    tree.path(tmp_path, tree.mask, second).write_bytes(b"no mask")
    code, out, err = check(run, "cityscapes", tmp_path)
    assert code == 2
    assert "val: 2 pictures, 2 problem(s): 1 missing image, 1 corrupt mask" in out
    assert "train: not checked, there is no folder" in out
    assert f"{tree.path(tmp_path, tree.image, first)}, which goes with" in out
    assert err.startswith("lseg: 2 problem(s)")
    assert "Expected: <root>/leftImg8bit" in err


def test_nothing_to_check_is_an_error_that_shows_the_layout(run, tmp_path):
    for tree in TREES.values():
        code, _, err = check(run, tree.dataset, tmp_path)
        assert code == 2
        assert "Expected: <root>/" in err
