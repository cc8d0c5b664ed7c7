"""Tables of label vectors in the place of a text encoder."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lseg.config import TextConfig
from lseg.errors import LabelError
from lseg.text.encoder import LabelEncoder
from lseg.text.table import LabelTable


def test_table_gives_unit_vectors_in_the_order_asked(table):
    path, vectors = table
    source = LabelTable(path)
    found = source.encode(["person", "sky", "person"], torch.device("cpu"))
    assert found.dtype == torch.float32
    expected = torch.stack([vectors["person"], vectors["sky"], vectors["person"]])
    torch.testing.assert_close(found, expected)


def test_table_of_half_precision_is_read_as_float32(tmp_path):
    save_file(
        {"embeddings": torch.randn(1, 8).half()}, tmp_path / "t", metadata={"labels": '["sky"]'}
    )
    found = LabelTable(tmp_path / "t").encode(["sky"], torch.device("cpu"))
    assert found.dtype == torch.float32
    assert found.norm().item() == pytest.approx(1, abs=1e-6)


def test_label_that_a_table_lacks_is_an_error_with_the_closest(table):
    with pytest.raises(LabelError, match=r"'potted plants' is not among the 5.*potted plant"):
        LabelTable(table[0]).encode(["potted plants"], torch.device("cpu"))
    with pytest.raises(LabelError, match=r"'zzz' is not among the 5.*sky"):
        LabelTable(table[0]).encode(["zzz"], torch.device("cpu"))


def write_text(path):
    path.write_text("sky\nroad\n")


def write_other_tensor(path):
    save_file({"weight": torch.zeros(2, 8)}, path, metadata={"labels": '["a", "b"]'})


def write_no_metadata(path):
    save_file({"embeddings": torch.zeros(2, 8)}, path)


def write_bad_json(path):
    save_file({"embeddings": torch.zeros(2, 8)}, path, metadata={"labels": "a, b"})


def write_no_list(path):
    save_file({"embeddings": torch.zeros(2, 8)}, path, metadata={"labels": "2"})


def write_too_few_names(path):
    save_file({"embeddings": torch.zeros(2, 8)}, path, metadata={"labels": '["a"]'})


def write_one_dimension(path):
    save_file({"embeddings": torch.zeros(2)}, path, metadata={"labels": '["a", "b"]'})


@pytest.mark.parametrize(
    "write",
    [
        write_text,
        write_other_tensor,
        write_no_metadata,
        write_bad_json,
        write_no_list,
        write_too_few_names,
        write_one_dimension,
        lambda path: path.mkdir(),
        lambda path: None,
    ],
)
def test_file_that_is_no_table_is_an_error_that_names_it(tmp_path, write):
    path = tmp_path / "wrong.safetensors"
    write(path)
    with pytest.raises(LabelError, match=r"wrong\.safetensors"):
        LabelTable(path)


def save_table(path, names):
    save_file({"embeddings": torch.eye(8)[: len(names)].contiguous()}, path, {
        "labels": json.dumps(names)
    })  # fmt: skip


@pytest.mark.parametrize("names", [["sky", "road", "sky"], ["caf\u00e9", "cafe\u0301"]])
def test_a_table_that_has_a_name_twice_is_refused(tmp_path, names):
    save_table(tmp_path / "twice.safetensors", names)
    with pytest.raises(LabelError, match=rf"'{names[0]}' occurs more than once.*twice"):
        LabelTable(tmp_path / "twice.safetensors")


def test_names_of_a_table_are_found_in_any_spelling_of_the_same(tmp_path):
    save_table(tmp_path / "t", ["cafe\u0301", "traffic  light"])
    encoder = LabelEncoder(TextConfig(table=str(tmp_path / "t")), 8)
    assert torch.equal(encoder.encode(["caf\u00e9", "traffic light"]), torch.eye(8)[:2])


def test_relative_table_is_found_beside_the_file_that_names_it(table, monkeypatch, tmp_path):
    path, vectors = table
    monkeypatch.chdir(tmp_path_of(tmp_path, "elsewhere"))
    encoder = LabelEncoder(TextConfig(table=path.name), 8)
    encoder.folder = path.parent
    torch.testing.assert_close(encoder.encode(["sky"])[0], vectors["sky"])


def tmp_path_of(folder, name):
    (folder / name).mkdir()
    return folder / name


def test_table_of_the_config_is_found_under_lseg_data(table, monkeypatch):
    path, vectors = table
    monkeypatch.setenv("LSEG_DATA", str(path.parent))
    encoder = LabelEncoder(TextConfig("", None, table=path.name), 8)
    torch.testing.assert_close(encoder.encode(["sky"])[0], vectors["sky"])


def test_table_takes_names_without_templates_and_is_not_cached(table, own_cache):
    path, vectors = table
    encoder = LabelEncoder(TextConfig(table=str(path), templates=("a photo of {}",)), 8)
    torch.testing.assert_close(encoder.encode(["road"])[0], vectors["road"])
    assert not own_cache.exists()
