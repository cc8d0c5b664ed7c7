"""Files that are truncated, or no checkpoints at all."""

import pickle
import warnings
import zipfile

import pytest
import torch
from pickles import refusal
from safetensors.torch import save_file


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.95, 0.9999])
def test_a_truncated_file_is_refused(save, weights, share):
    path = save({"state_dict": weights, "hyper_parameters": {"lr": 0.1}})
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refusal(path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9999])
def test_a_truncated_file_with_unknown_classes_is_refused(save, weights, vanished, share):
    path = save({"hyper_parameters": vanished(), "state_dict": weights, "last": vanished(a=1)})
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refusal(path)


@pytest.mark.parametrize("share", [0, 0.05, 0.5, 0.99])
def test_a_truncated_safetensors_file_is_refused(tmp_path, share):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.randn(1000)}, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refusal(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello\n" * 1000,
        b"PK",
        b"PK are the first letters of a text",
        b"<!DOCTYPE html><html></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        b"\xff\xd8\xff\xe0" + bytes(1000),
        pickle.dumps([1, 2]),
        pickle.dumps({"w": 3}),
        b"\x80\x02.",
        b"\x80\x02" + b"(" * 1000,
        "ünïcode".encode(),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    refusal(path)


def test_a_zip_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("word/document.xml", "<xml/>")
    refusal(path)


def test_a_missing_file_is_named(tmp_path):
    refusal(tmp_path / "nowhere.pt", "no such file")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"epoch": 3},
        {"state_dict": {}},
        {"state_dict": {"w": 3}},
        {"model": {"name": "lseg"}, "w": torch.zeros(2)},
        [torch.zeros(2)],
        torch.zeros(2),
        "lseg",
        None,
    ],
    ids=repr,
)
def test_a_file_without_a_dict_of_tensors_is_refused(save, values):
    refusal(save(values), "no state dict")


def test_a_pickled_module_in_place_of_its_state_dict_is_refused(save):
    with warnings.catch_warnings(action="ignore"):
        path = save(torch.nn.Linear(2, 2))
    refusal(path)


def test_a_safetensors_file_without_tensors_is_refused(tmp_path):
    save_file({}, tmp_path / "model.safetensors")
    refusal(tmp_path / "model.safetensors")


def test_what_only_ends_or_begins_like_safetensors_is_not_taken_for_them(tmp_path):
    """A length that fits, without JSON; and JSON behind a length that does not fit."""
    for content in (bytes(100), b"\xff" * 8 + b'{"' + bytes(90)):
        (tmp_path / "model.bin").write_bytes(content)
        assert "no PyTorch checkpoint" in refusal(tmp_path / "model.bin")
