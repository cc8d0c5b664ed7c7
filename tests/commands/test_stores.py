import builtins
import json

import h5py
import numpy as np
import pytest
import zarr
from PIL import Image

import lseg
from lseg.embedding import zarr_store

LABELS = ["--labels", "sky,road,other"]


@pytest.fixture
def embed(run, checkpoint, pictures, tmp_path):
    def call(out, *more):
        options = ["--checkpoint", checkpoint, "--out", tmp_path / out, "--dtype", "float32"]
        return run("embed", pictures, *options, *more)

    return call


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("embed.")
    }


@pytest.mark.parametrize("layout", ["CHW", "HWC", "NCHW"])
def test_a_store_holds_an_array_a_picture(embed, tmp_path, monkeypatch, layout):
    monkeypatch.setattr(zarr_store, "CHUNK_BYTES", 4 * 16 * 43 * 3)  # three rows of a.png
    monkeypatch.setattr(zarr_store, "SHARD_BYTES", 4 * 16 * 43 * 9)
    for out, kind in (("plain", "npy"), ("out", "zarr")):
        assert embed(out, "--format", kind, "--layout", layout)[0] == 0
    store = zarr.open_group(tmp_path / "out" / "embeddings.zarr", mode="r")
    assert sorted(store) == ["a", "b"]
    for name in ("a", "b"):
        assert np.array_equal(store[name][:], np.load(tmp_path / "plain" / f"{name}.npy"))
    axis = layout.index("H")
    assert store["a"].metadata.zarr_format == 3
    assert store["a"].chunks[axis] == 3
    assert store["a"].shards[axis] == 9


def test_a_store_is_asked_for_labels(run, embed, pictures, tmp_path):
    (pictures / "scene").mkdir()
    (pictures / "b.jpg").rename(pictures / "scene" / "b.jpg")
    for out, kind in (("plain", "npy"), ("out", "zarr")):
        embed(out, "--format", kind, "--keep-folders")
        assert run("query", tmp_path / out, *LABELS, "--out", tmp_path / f"{out} maps")[0] == 0
    for name in ("a.png", "scene/b.png"):
        one, other = (Image.open(tmp_path / f"{out} maps" / name) for out in ("plain", "out"))
        assert np.array_equal(np.asarray(one), np.asarray(other))
    array = json.loads((tmp_path / "out" / "scene" / "b.json").read_text())["file"]
    assert array == "../embeddings.zarr/scene/b"
    assert lseg.open_embeddings(tmp_path / "out" / "scene" / "b.json").embed().shape[0] == 16
    assert "scene/b" in dict(zarr.open_group(tmp_path / "out" / "embeddings.zarr").members(None))


def test_a_run_that_was_cut_ends_with_the_same_store(embed, tmp_path):
    embed("out", "--format", "zarr")
    whole, store = tree(tmp_path / "out"), tmp_path / "out" / "embeddings.zarr"
    (tmp_path / "out" / "a.json").unlink()
    (store / "a" / "zarr.json").write_text("of a run that was cut")
    (store / ".b.0123abcd.partial").mkdir()
    embed("out", "--format", "zarr")
    assert tree(tmp_path / "out") == whole
    assert not list(store.glob(".*"))


def test_a_folder_with_the_name_of_a_picture_beside_it_is_told(run, embed, pictures, tmp_path):
    (pictures / "a").mkdir()
    (pictures / "b.jpg").rename(pictures / "a" / "b.jpg")
    code, _, err = embed("out", "--format", "zarr", "--keep-folders")
    assert code == 3
    assert "rename the picture, or the folder" in err
    done = [(tmp_path / "out" / name).is_file() for name in ("a.json", "a/b.json")]
    assert sorted(done) == [False, True]


def test_hdf5_files_hold_what_others_do_and_are_the_same_each_time(embed, tmp_path):
    for out, kind in (("plain", "npy"), ("one", "h5"), ("two", "h5")):
        assert embed(out, "--format", kind)[0] == 0
    with h5py.File(tmp_path / "one" / "b.h5") as file:
        assert np.array_equal(file["pixfeat"][()], np.load(tmp_path / "plain" / "b.npy"))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


@pytest.mark.parametrize(("kind", "library"), [("zarr", "zarr"), ("h5", "h5py")])
def test_a_missing_library_is_one_line(refused, embed, monkeypatch, kind, library, tmp_path):
    known = builtins.__import__

    def without(name, *more):
        if name == library:
            raise ImportError(name)
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    error = refused("embed", tmp_path / "pictures", "--out", tmp_path / "o", "--format", kind)
    assert 'pip install "lseg[stores]"' in error
