"""Models and embeddings that are carried elsewhere, asked from another working folder."""

import dataclasses
import json
import shutil

import numpy as np
import open_clip
import pytest
import torch
from drawing import draw, save_lseg
from networks import CONV
from PIL import Image
from safetensors.torch import load_file, save_file

from lseg.checkpoints.load import load_model
from lseg.config import LSegConfig, Preprocessing, TextConfig
from lseg.models.lseg import LSeg
from lseg.store.folder import TEXT_FILE
from lseg.text.tower import empty_text_tower

NAMES = ["sky", "road", "tree", "other"]
LABELS = ["--labels", ",".join(NAMES)]
ARCHITECTURE = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32},
    "text_cfg": {
        "context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
    },
}  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a picture, in which a user works."""
    folder = tmp_path / "home"
    (folder / "pictures").mkdir(parents=True)
    Image.fromarray(draw(48, 64)).save(folder / "pictures" / "a.png")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def with_table(home):
    """A model folder `model` with its label table in it."""
    save_lseg(home, NAMES).rename(home / "model")
    (home / "table.safetensors").rename(home / "model" / "labels.safetensors")
    file = home / "model" / "config.json"
    values = json.loads(file.read_text())
    values["text"]["table"] = "labels.safetensors"
    file.write_text(json.dumps(values))
    return home


@pytest.fixture
def with_tower(home, tmp_path):
    """A model folder `model` with a text tower of its own."""
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "tiny-moved-test.json").write_text(json.dumps(ARCHITECTURE))
    open_clip.add_model_config(configs)
    torch.manual_seed(0)
    text = TextConfig("tiny-moved-test", None, templates=("a photo of {}",))
    model = LSeg(LSegConfig(CONV, Preprocessing(size=64), text, embed_dim=16))
    model.save_pretrained(home / "model")
    save_file(empty_text_tower("tiny-moved-test").state_dict(), home / "model" / TEXT_FILE)
    return home


@pytest.fixture(params=["with_table", "with_tower"])
def worked(request, run):
    """That folder after `embed` and `predict` by relative paths; embeddings, and the right map."""
    folder = request.getfixturevalue(request.param)
    options = ["--checkpoint", "model", "--dtype", "float32"]
    assert run("embed", "pictures", *options, "--out", "embedded")[0] == 0
    assert run("predict", "pictures", "--checkpoint", "model", *LABELS, "--out", "seen")[0] == 0
    return folder


def label_map(folder):
    return np.asarray(Image.open(folder / "a.png"))


def elsewhere(folder, monkeypatch):
    place = folder.parent / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def test_embeddings_are_asked_from_another_folder(worked, run, monkeypatch):
    monkeypatch.chdir(worked.parent)
    code, _, err = run("query", worked / "embedded", *LABELS, "--out", "asked")
    assert code == 0, err
    assert np.array_equal(label_map(worked.parent / "asked"), label_map(worked / "seen"))


def test_embeddings_and_model_are_moved_together(worked, run, monkeypatch):
    moved = worked.rename(worked.with_name("moved"))
    place = elsewhere(moved, monkeypatch)
    code, _, err = run("query", moved / "embedded", *LABELS, "--out", place / "asked")
    assert code == 0, err
    assert np.array_equal(label_map(place / "asked"), label_map(moved / "seen"))
    options = ["--checkpoint", moved / "model", *LABELS]
    assert run("predict", moved / "pictures", *options, "--out", place / "new")[0] == 0
    assert np.array_equal(label_map(place / "new"), label_map(moved / "seen"))


def test_embeddings_without_their_model_say_what_is_missing(worked, run, refused, monkeypatch):
    moved = worked.parent / "alone"
    shutil.copytree(worked / "embedded", moved)
    place = elsewhere(worked, monkeypatch)
    away = worked.rename(worked.with_name("away"))
    err = refused("query", moved, *LABELS, "--out", place / "asked")
    assert "text_encoder.safetensors" in err or "labels.safetensors" in err
    table = ["--text-table", away / "model"]  # and the model's folder helps
    assert run("query", moved, *LABELS, *table, "--out", place / "asked")[0] == 0
    assert np.array_equal(label_map(place / "asked"), label_map(away / "seen"))


def test_the_tower_of_a_model_that_stayed_is_found(with_tower, run, monkeypatch):
    run("embed", "pictures", "--checkpoint", with_tower / "model", "--out", "embedded")
    moved = shutil.move(with_tower / "embedded", with_tower.parent)
    monkeypatch.chdir(with_tower.parent)
    assert run("query", moved, *LABELS, "--out", "asked")[0] == 0


def test_sidecars_of_before_are_read(worked, run):
    """They have paths from the working folder, or absolute ones."""
    file = worked / "embedded" / "a.json"
    values = json.loads(file.read_text())
    tower = values["text"]["tower"] is not None
    for folder in ("model", str(worked / "model")):
        key, name = ("tower", TEXT_FILE) if tower else ("table", "labels.safetensors")
        values["text"][key] = f"{folder}/{name}"
        file.write_text(json.dumps(values))
        code, _, err = run("query", "embedded", *LABELS, "--out", "asked")
        assert code == 0, err
        assert np.array_equal(label_map(worked / "asked"), label_map(worked / "seen"))


def test_finished_embeddings_are_finished_after_the_move(worked, run, monkeypatch):
    moved = worked.rename(worked.with_name("moved"))
    monkeypatch.chdir(moved)
    before = (moved / "embedded" / "a.npy").stat().st_mtime_ns
    options = ["--checkpoint", "model", "--dtype", "float32"]
    assert run("embed", "pictures", *options, "--out", "embedded")[0] == 0
    assert (moved / "embedded" / "a.npy").stat().st_mtime_ns == before


def test_a_saved_model_finds_its_table_from_its_new_folder(with_table, monkeypatch):
    model = load_model("model")
    right = model.encode_labels(NAMES)
    model.save_pretrained("deep/er/copy")
    moved = with_table.rename(with_table.with_name("moved"))
    elsewhere(moved, monkeypatch)
    copy = load_model(moved / "deep" / "er" / "copy")
    assert torch.equal(copy.encode_labels(NAMES), right)


def test_a_table_under_lseg_data_stays_one_and_an_absolute_one_too(with_table, monkeypatch):
    (with_table / "data").mkdir()
    table = shutil.move(with_table / "model" / "labels.safetensors", with_table / "data")
    monkeypatch.setenv("LSEG_DATA", str(with_table / "data"))
    model = load_model("model")
    model.save_pretrained("copy")
    assert load_model("copy").config.text.table == "labels.safetensors"
    text = dataclasses.replace(model.config.text, table=str(with_table / "data" / table))
    model.config = dataclasses.replace(model.config, text=text)
    model.save_pretrained("copy")
    assert load_model("copy").config.text.table == text.table


def test_the_text_side_of_another_model(with_tower, run, tmp_path):
    """`--text-table` takes a model folder: its tower, and its templates."""
    other = save_lseg(tmp_path, NAMES)
    options = ["--checkpoint", other, "--text-table", "model", *LABELS]
    assert run("predict", "pictures", *options, "--out", "seen")[0] == 0
    words = ["--labels", "a lake,a hill"]  # which are in no table
    assert run("predict", "pictures", *options[:4], *words, "--out", "seen")[0] == 0


def test_a_folder_without_a_text_side_is_refused(home, depth_folder, refused, tmp_path):
    options = ["--checkpoint", save_lseg(tmp_path, NAMES), *LABELS, "--out", "seen"]
    assert "no text encoder" in refused(
        "predict", "pictures", *options, "--text-table", depth_folder
    )
    assert "pictures has no" in refused("predict", "pictures", *options, "--text-table", "pictures")


def test_a_tower_that_is_cut_off_is_refused(with_tower, refused):
    file = with_tower / "model" / TEXT_FILE
    file.write_bytes(file.read_bytes()[:999])
    err = refused("predict", "pictures", "--checkpoint", "model", *LABELS, "--out", "seen")
    assert TEXT_FILE in err


def test_a_table_with_a_name_twice_is_refused(with_table, refused):
    file = with_table / "model" / "labels.safetensors"
    save_file(load_file(file), file, {"labels": json.dumps(["sky", "road", "sky", "other"])})
    err = refused("predict", "pictures", "--checkpoint", "model", *LABELS, "--out", "seen")
    assert "'sky' occurs more than once" in err
