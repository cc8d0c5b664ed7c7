import io
import pickle

import numpy as np
import pytest
import torch
from hostile_pickle import WritesAFile
from safetensors.torch import load_file, save

from lseg.embedding import files
from lseg.embedding.files import new_embeddings, read_array
from lseg.errors import DataError, LSegError
from lseg.inference.layout import as_chw


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(6, 20, 7))


def write(path, values, dtype="float16", layout="CHW"):
    channels, height, width = values.shape
    shape = {"CHW": values.shape, "HWC": (height, width, channels), "NCHW": (1, *values.shape)}
    with new_embeddings(path, shape[layout], dtype, layout) as file:
        for start in range(0, height, 3):
            file.put(start, values[:, start : start + 3].astype(np.float32))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_files_are_those_of_the_libraries(tmp_path, values, dtype):
    values = values.astype(dtype)
    for suffix in ("npy", "safetensors", "pt"):
        write(tmp_path / f"a.{suffix}", values, dtype)
    npy = io.BytesIO()
    np.save(npy, values)
    assert (tmp_path / "a.npy").read_bytes() == npy.getvalue()
    tensor = torch.from_numpy(values)
    assert (tmp_path / "a.safetensors").read_bytes() == save({"embeddings": tensor})
    assert torch.equal(load_file(tmp_path / "a.safetensors")["embeddings"], tensor)
    assert torch.equal(torch.load(tmp_path / "a.pt", weights_only=True), tensor)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "a.pt", "a.safetensors"]


@pytest.mark.parametrize("layout", ["CHW", "HWC", "NCHW"])
@pytest.mark.parametrize("suffix", ["npy", "safetensors", "pt"])
def test_what_is_written_is_read(tmp_path, values, suffix, layout):
    write(tmp_path / f"a.{suffix}", values, "float32", layout)
    found = as_chw(read_array(tmp_path / f"a.{suffix}"), layout)
    assert np.array_equal(found, values.astype(np.float32))


def test_pages_that_were_given_back_are_in_the_file(tmp_path, values, monkeypatch):
    monkeypatch.setattr(files, "RESIDENT_BYTES", 1)
    write(tmp_path / "a.npy", values, "float32")
    assert np.array_equal(np.load(tmp_path / "a.npy"), values.astype(np.float32))


@pytest.mark.parametrize("suffix", ["npy", "safetensors", "pt"])
def test_nothing_is_left_of_what_failed(tmp_path, values, suffix):
    path = tmp_path / f"a.{suffix}"
    with pytest.raises(KeyError), new_embeddings(path, values.shape, "float16", "CHW") as file:
        file.put(0, values.astype(np.float32))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_noticed_at_the_start(tmp_path):
    shape = (512, 2**25, 2**10)  # 32 TiB
    with pytest.raises(LSegError, match="cannot be written"):
        new_embeddings(tmp_path / "a.npy", shape, "float16", "CHW").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_files_that_hold_no_embeddings_are_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_array(tmp_path / "none.npy")
    for name in ("a.npy", "a.safetensors", "a.pt"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(DataError, match="cannot be read as embeddings"):
            read_array(tmp_path / name)
    np.save(tmp_path / "b.npy", np.zeros((3, 4)))
    with pytest.raises(DataError, match=r"\(C, H, W\)"):
        read_array(tmp_path / "b.npy")
    with pytest.raises(DataError, match=r"\.npy"):
        read_array(tmp_path / "a.txt")


def pickled(file, call):
    pickle.dump(call, file)


def array_of_objects(file, call):
    np.save(file, np.array([[[call]]], object), allow_pickle=True)


def archive(file, call):
    np.savez(file, np.array([call], object))


@pytest.mark.parametrize("write_hostile", [pickled, array_of_objects, archive])
def test_what_would_run_code_is_refused_and_not_run(tmp_path, write_hostile):
    with (tmp_path / "a.npy").open("wb") as file:
        write_hostile(file, WritesAFile(tmp_path / "ran"))
    with pytest.raises(DataError, match="cannot be read as embeddings") as caught:
        read_array(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
