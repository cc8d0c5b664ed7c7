"""`lseg memory`, and what `predict`, `query` and `evaluate` make of examples."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawing import save_lseg
from PIL import Image

from lseg.checkpoints.load import load_model
from lseg.inference.memory import Memory
from lseg.inference.segmenter import Segmenter

WORDS = ["sky", "road", "tree"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_lseg(tmp_path_factory.mktemp("model"), WORDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of red things (`sky`) on grey ground (`road`); four to learn from, two to judge."""
    root = tmp_path_factory.mktemp("pairs")
    (root / "classes.txt").write_text("sky\nroad\n")
    rng = np.random.default_rng(0)
    for name in "abcdef":
        mask = np.ones((64, 80), np.uint8)
        top, left = rng.integers(0, 30, 2)
        mask[top : top + 30, left : left + 40] = 0
        picture = np.where(mask[..., None] == 0, (220, 30, 30), (110, 110, 110))
        noise = rng.normal(0, 9, picture.shape)
        Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8)).save(root / f"{name}.png")
        Image.fromarray(mask).save(root / f"{name}.mask.png")
    for split, names in (("train", "abcd"), ("val", "ef")):
        lines = (f"{name}.png {name}.mask.png\n" for name in names)
        (root / f"{split}.txt").write_text("".join(lines))
    return root


@pytest.fixture
def built(run, checkpoint, folder, tmp_path):
    path = tmp_path / "m.safetensors"
    code, out, err = run(
        "memory", "build", "--data-root", folder, "--checkpoint", checkpoint, "--shots", 3,
        "--out", path,
    )  # fmt: skip
    assert code == 0, err
    assert "8 example(s) of 2 label(s)" in out  # four pictures show both
    return path


def test_a_memory_is_built_added_to_listed_and_cut(run, checkpoint, folder, built):
    picture, box = folder / "a.png", ("--box", 0, 0, 20, 20)
    add = ("memory", "add", built, picture, "--checkpoint", checkpoint, "--label")
    assert run(*add, "my mug", *box)[0] == 0
    assert run(*add, "my mug", "--points", "30 20, 40 22")[0] == 0
    assert run(*add, "sky", "--mask", folder / "a.mask.png")[0] == 0
    _, out, _ = run("memory", "list", built)
    assert "my mug" in out
    assert "road" in out
    assert run("memory", "remove", built, "--labels", "my mug,road")[0] == 0
    assert Memory.load(built, load_model(str(checkpoint))).labels == ["sky"]
    code, _, err = run("memory", "remove", built, "--labels", "road")
    assert code == 2
    assert "no example of 'road'" in err


def test_marks_must_be_said_in_one_way(run, checkpoint, folder, built):
    add = ("memory", "add", built, folder / "a.png", "--checkpoint", checkpoint, "--label", "x")
    for options, message in [
        ((), "nothing says where"),
        (("--points", "1 2", "--box", 0, 0, 9, 9), "--box and --points"),
        (("--box", 0, 9), "LEFT TOP RIGHT BOTTOM"),
        (("--points", "1;2"), "columns and rows"),
    ]:
        code, _, err = run(*add, *options)
        assert code == 2
        assert message in err


def test_predict_answers_with_the_memory(run, checkpoint, folder, built, tmp_path):
    ask = ("predict", folder / "e.png", "--labels", "sky,road", "--checkpoint", checkpoint)
    assert run(*ask, "--memory", built, "--out", tmp_path / "p")[0] == 0
    assert run(*ask, "--out", tmp_path / "text")[0] == 0
    model = load_model(str(checkpoint))
    segmenter = Segmenter(model, memory=Memory.load(built, model))
    segmenter.set_image(folder / "e.png")
    found = np.asarray(Image.open(tmp_path / "p/e.png"))
    assert np.array_equal(found, segmenter.segment(["sky", "road"]).label_map)
    truth = np.asarray(Image.open(folder / "e.mask.png"))
    text = np.asarray(Image.open(tmp_path / "text/e.png"))
    assert (found == truth).mean() > max(0.9, (text == truth).mean())


@pytest.mark.parametrize("more", [[], ["--codes", "exact"]])
def test_query_answers_with_the_memory_of_the_same_model(
    run, checkpoint, folder, built, tmp_path, more
):
    run("embed", folder / "e.png", "--checkpoint", checkpoint, "--out", tmp_path / "e", *more)
    ask = ("query", tmp_path / "e", "--labels", "sky,road", "--memory", built)
    code, _, err = run(*ask, "--out", tmp_path / "q")
    assert code == 0, err
    truth = np.asarray(Image.open(folder / "e.mask.png"))
    assert (np.asarray(Image.open(tmp_path / "q/e.png")) == truth).mean() > 0.8
    sidecar = tmp_path / "e/e.json"
    told = json.loads(sidecar.read_text()) | {"weights": "0" * 32}
    sidecar.write_text(json.dumps(told))
    code, _, err = run(*ask, "--out", tmp_path / "r")
    assert code == 2
    assert "made with different models" in err


def test_evaluate_draws_examples_and_averages_over_seeds(run, checkpoint, folder, tmp_path):
    out = tmp_path / "f.json"
    judge = (
        "evaluate", "--dataset", "pairs", "--data-root", folder, "--checkpoint", checkpoint,
        "--examples", folder, "--shots", 2, "--seeds", 3, "--workers", 0,
    )  # fmt: skip
    code, text, err = run(*judge, "--out", out)
    assert code == 0, err
    assert "with examples" in text
    figures = json.loads(out.read_text())
    assert [one["seed"] for one in figures["runs"]] == [0, 1, 2]
    assert all(one["examples"] in (4, 6, 8) for one in figures["runs"])  # of two to four pictures
    mean = sum(one["miou"] for one in figures["runs"]) / 3
    assert figures["miou"] == pytest.approx(mean)
    assert figures["gain"] == pytest.approx(mean - figures["text"]["miou"])
    assert figures["miou"] > figures["text"]["miou"]
    assert figures["miou_spread"] >= 0
    assert run(*judge, "--half", "--out", out)[0] == 0
    half = json.loads(out.read_text())
    assert [len(one["taught"]) for one in half["runs"]] == [1, 1, 1]
    assert half["text"] == figures["text"]
    assert run(*judge, "--mislabel", 1, "--seeds", 1, "--out", out)[0] == 0
    assert json.loads(out.read_text())["miou"] < half["miou"]
    assert run(*judge, "--mislabel", 2)[0] == 2


@pytest.mark.slow  # two more interpreters start
def test_draws_are_judged_alike_by_two_processes(run, checkpoint, folder, tmp_path):
    judge = [
        "evaluate", "--dataset", "pairs", "--data-root", folder, "--checkpoint", checkpoint,
        "--examples", folder, "--shots", "2", "--seeds", "2", "--half", "--workers", "0",
        "--device", "cpu",
    ]  # fmt: skip
    code, _, err = run(*judge, "--out", tmp_path / "one.json")
    assert code == 0, err
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "lseg", *judge, "--out", tmp_path / "two.json"],
        env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("spread over seeds") == 1
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    for figures in (one, two):
        del figures["options"]
    assert one["runs"][0]["miou"] != one["text"]["miou"]
    assert two == one


def test_evaluate_judges_a_memory(run, checkpoint, folder, built, tmp_path):
    judge = ("evaluate", "--dataset", "pairs", "--data-root", folder, "--checkpoint", checkpoint)
    run(*judge, "--memory", built, "--out", tmp_path / "m.json")
    run(*judge, "--out", tmp_path / "t.json")
    taught, text = (json.loads((tmp_path / f"{n}.json").read_text())["miou"] for n in "mt")
    assert taught > text
    code, _, err = run(*judge, "--memory", built, "--examples", folder)
    assert code == 2
    assert "--examples draws its own" in err
