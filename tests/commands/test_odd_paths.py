"""Texts that are no paths wherever a path may stand, and the home folder behind `=`."""

import os

import numpy as np
import pytest
from drawing import draw, names, save_lseg
from PIL import Image

import lseg
from lseg.errors import CheckpointError, ImageError, LSegError
from lseg.files import atomic_file, clear_partial_files
from lseg.inference.segmenter import Segmenter

LONG = "n" * 300
LABELS = ["--labels", "red circle,other"]
TINY = ["--checkpoint", "tiny"]


@pytest.fixture(params=[LONG, "a\0b"], ids=["long", "null"])
def impossible(request):
    return request.param


def test_no_text_in_the_place_of_a_path_is_a_traceback(
    refused, pictures, data, impossible, tmp_path
):
    out = ["--out", tmp_path / "out"]
    pairs = ["--dataset", "pairs", "--data-root"]
    for command in (
        ["predict", impossible, *LABELS, *out],
        ["predict", pictures, *LABELS, *out, "--checkpoint", impossible],
        ["predict", pictures, *LABELS, *out, "--text-table", impossible],
        ["predict", pictures, "--labels", f"{impossible}.txt", *out],
        ["predict", pictures, *LABELS, "--out", impossible],
        ["embed", pictures, "--out", impossible],
        ["query", impossible, *LABELS, *out],
        ["evaluate", *pairs, impossible],
        ["evaluate", *pairs, data, "--prompts", impossible],
        ["evaluate", *pairs, data, "--out", impossible],
        ["data", "check", *pairs, impossible],
        ["fewshot", "--benchmark", "pairs", "--data-root", data, "--label-file", impossible],
        ["fewshot", "--benchmark", "pascal5i", "--data-root", impossible],
        ["convert", impossible, tmp_path / "made"],
        ["convert", pictures / "a.png", impossible],
        ["export", "--out", f"{impossible}.onnx"],
        ["depth", pictures, *out, "--checkpoint", impossible],
    ):
        assert len(refused(*command)) < 500, command


def test_labels_are_no_paths(run, pictures, tmp_path):
    out = tmp_path / "out"
    assert run("predict", pictures, *TINY, "--labels", f"{LONG},other", "--out", out)[0] == 0
    assert run("predict", pictures, *TINY, "--labels", LONG, "--out", out)[0] == 0


def test_python_says_it_as_well(impossible):
    with pytest.raises(CheckpointError):
        lseg.load_model(impossible)
    with pytest.raises(ImageError):
        Segmenter.from_pretrained("tiny").set_image(impossible)
    with pytest.raises(LSegError):
        lseg.load_model("tiny").save_pretrained(impossible)


def test_a_picture_with_the_longest_name_has_results(run, tmp_path):
    stem = "p" * (255 - len(".overlay.png"))
    (tmp_path / "in").mkdir()
    Image.fromarray(draw(48, 64)).save(tmp_path / "in" / f"{stem}.png")
    code, _, err = run("predict", tmp_path / "in", *TINY, *LABELS, "--out", tmp_path / "out")
    assert code == 0, err
    found = set(names(tmp_path / "out"))
    assert found == {"predict.yaml", *(stem + end for end in (".png", ".overlay.png", ".json"))}


def test_a_name_that_is_too_long_with_its_ending_is_told(run, tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(draw(48, 64)).save(tmp_path / "in" / f"{'p' * 251}.png")
    code, _, err = run("predict", tmp_path / "in", *TINY, *LABELS, "--out", tmp_path / "out")
    assert code == 2
    assert "too long" in err
    assert err.count("\n") == 1


def test_what_a_killed_run_left_of_a_long_name_is_cleared(tmp_path):
    stem = "s" * 240
    with pytest.raises(KeyError), atomic_file(tmp_path / f"{stem}.npy") as partial:
        kept = partial.with_name(partial.name)
        kept.write_text("part")
        os.link(kept, tmp_path / "kept")
        raise KeyError
    (tmp_path / "kept").rename(kept)  # as if the process had been killed
    clear_partial_files(tmp_path, {"another"})
    assert kept.exists()
    clear_partial_files(tmp_path, {stem})
    assert not kept.exists()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder with a model, pictures, labels and a data set; the working folder is empty."""
    folder = tmp_path / "home"
    for name in ("pictures", "work"):
        (folder / name).mkdir(parents=True)
    save_lseg(folder, ["sky", "road", "other"]).rename(folder / "model")
    Image.fromarray(draw(48, 64)).save(folder / "pictures" / "a.png")
    (folder / "labels.txt").write_text("sky\nroad\nother\n")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder / "work")
    yield folder
    assert list((folder / "work").iterdir()) == []  # above all no folder called "~"


def test_a_tilde_behind_an_equals_sign_is_the_home_folder(home, run):
    model, labels = "--checkpoint=~/model", "--labels=~/labels.txt"
    table = "--text-table=~/table.safetensors"
    for command in (
        ["predict", "~/pictures", model, labels, table, "--out=~/seen"],
        ["embed", "~/pictures/a.png", model, "--out=~/embedded", "--pca=2"],
        ["embed", "~/pictures/a.png", model, "--out=~/more", "--pca=~/embedded/pca.safetensors"],
        ["query", "~/embedded", labels, "--out=~/asked", "--pictures=~/pictures"],
        ["depth", "~/pictures", "--checkpoint=~/model", "--out=~/deep"],
    ):
        code, _, err = run(*command)
        assert (code == 0) == (command[0] != "depth"), err  # which needs another network
    for folder in ("seen", "asked"):
        assert Image.open(home / folder / "a.png").size == (64, 48)
    assert np.load(home / "embedded" / "a.npy").shape[0] == 2
    assert np.load(home / "more" / "a.npy").shape[0] == 2


def test_a_data_set_and_a_result_in_the_home_folder(home, run, data):
    data.rename(home / "data")
    (home / "data" / "classes.txt").write_text("sky\nroad\nother")
    pairs = ["--dataset=pairs", "--data-root=~/data"]
    code, _, err = run("evaluate", *pairs, "--checkpoint=~/model", "--out=~/figures.json")
    assert code == 0, err
    assert (home / "figures.json").is_file()
    assert run("data", "check", *pairs)[0] == 0
    benchmark = ["--benchmark=pairs", "--data-root=~/data", "--label-file=~/labels.txt"]
    options = ["--checkpoint=~/model", "--background-label=other", "--size=64", "--workers=0"]
    code, _, err = run("fewshot", *benchmark, *options, "--fold=0", "--out=~/fewshot.json")
    assert code == 0, err
    assert (home / "fewshot.json").is_file()


def test_models_are_saved_in_the_home_folder(home):
    lseg.load_model("~/model").save_pretrained("~/copy")
    assert (home / "copy" / "config.json").is_file()
