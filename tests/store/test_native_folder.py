import dataclasses
import json
import pickle
from pathlib import Path

import pytest
import torch
from hostile_pickle import WritesAFile
from safetensors.torch import load_file, save_file
from torch import nn
from torch.testing import assert_close

import lseg
from lseg.checkpoints.load import load_model
from lseg.config import TextConfig
from lseg.errors import CheckpointError
from lseg.models.lseg import LSeg


@pytest.fixture
def folder(model, tmp_path):
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def edit_config(folder, change):
    """Rewrites config.json after `change` has edited its values in place."""
    path = folder / "config.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def edit_weights(folder, change):
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


def refusal(source, *parts):
    """The message that `source` is refused with: one line that has all `parts` in it."""
    with pytest.raises(CheckpointError) as caught:
        load_model(source)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message
    return message


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_saved_network_loads_with_equal_weights_outputs_and_configuration(model, folder):
    loaded = load_model(folder)
    assert loaded.config == model.config
    assert not loaded.training
    weights = model.state_dict()
    assert list(loaded.state_dict()) == list(weights)
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == weights[name].dtype, name
        assert torch.equal(tensor, weights[name]), name
    pixels = torch.randn(1, 3, 45, 67)
    with torch.no_grad():
        wanted = model(pixels, ["sky", "other"])
        # How memory is aligned decides how a kernel vectorises, and so the last bit.
        torch.testing.assert_close(loaded(pixels, ["sky", "other"]), wanted, rtol=0, atol=1e-6)


def test_the_methods_of_the_network_and_of_the_package_do_the_same(model, tmp_path):
    model.save_pretrained(tmp_path / "saved")
    for loaded in (LSeg.from_pretrained(tmp_path / "saved"), lseg.load_model(tmp_path / "saved")):
        assert torch.equal(loaded.project.weight, model.project.weight)


def test_weights_stored_in_half_precision_load_as_their_rounded_float32(model, folder, tmp_path):
    half = tmp_path / "half"
    model.save_pretrained(half, torch.float16)
    sizes = [(path / "model.safetensors").stat().st_size for path in (half, folder)]
    assert sizes[0] < 0.7 * sizes[1]
    weights = model.state_dict()
    assert any(not tensor.is_floating_point() for tensor in weights.values())
    for name, tensor in load_model(half).state_dict().items():
        wanted = weights[name]
        assert tensor.dtype == wanted.dtype
        if wanted.is_floating_point():
            wanted = wanted.half().float()
        assert torch.equal(tensor, wanted)


def test_the_text_encoder_is_neither_stored_nor_needed_to_load(model, config, tmp_path):
    config = dataclasses.replace(config, text=TextConfig("tiny", None), embed_dim=64)
    net = LSeg(config)
    net.encode_labels(["red circle"])  # builds it
    before = list(net.state_dict())
    net.save_pretrained(tmp_path / "saved")
    stored = load_file(tmp_path / "saved" / "model.safetensors")
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [
        "config.json", "model.safetensors",
    ]  # fmt: skip
    assert sorted(stored) == sorted(before)
    assert {name.split(".")[0] for name in stored} == {"trunk", "project", "spatial_block"}


def test_loading_asks_for_no_label_table(model, config, folder):
    Path(config.text.table).unlink()
    load_model(folder)


def test_a_missing_weight_is_named(folder):
    edit_weights(folder, lambda weights: weights.pop("project.bias"))
    refusal(folder, folder, "lacks", "'project.bias'")


def test_an_unknown_weight_is_named(folder):
    edit_weights(folder, lambda weights: weights.update(surplus=torch.zeros(1)))
    refusal(folder, folder, "'surplus'")


def test_a_weight_of_another_shape_is_named_with_both_shapes(folder):
    edit_weights(folder, lambda weights: weights.update({"project.bias": torch.zeros(17)}))
    refusal(folder, folder, "'project.bias'", "(17,)", "(16,)")


def test_a_truncated_weight_file_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    refusal(folder, path)


@pytest.mark.parametrize("text", ["{", "", "[1, 2]", '"lseg"', "\ufeff\x00"])
def test_a_configuration_that_is_no_json_object_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    refusal(folder, folder / "config.json")


def test_another_architecture_is_named(folder):
    edit_config(folder, lambda values: values.update(architecture="resnet"))
    refusal(folder, folder, "'resnet'")


def test_an_unknown_field_is_named_with_the_nearest_known_one(folder):
    edit_config(folder, lambda values: values["trunk"].update(reedout=values["trunk"]["readout"]))
    refusal(folder, folder, "'reedout'", "'readout'")


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        (None, "embed_dim", "sixteen"),
        (None, "embed_dim", -3),
        (None, "block", "fancy"),
        (None, "block_activation", "gelu"),
        ("trunk", "backbone", "resnet10"),
        ("trunk", "levels", [1, 2, 3]),
        ("trunk", "level_widths", [8, 8, 16]),
        ("trunk", "backbone_options", {"channels": [8]}),
        ("trunk", "backbone_options", [8]),
        ("trunk", "readout", "multiply"),
    ],
)
def test_a_field_with_an_impossible_value_is_refused(folder, part, field, value):
    edit_config(folder, lambda values: (values[part] if part else values).update({field: value}))
    refusal(folder, folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused(folder, name):
    (folder / name).unlink()
    refusal(folder, folder, name)


def test_a_missing_folder_is_refused_with_what_is_accepted(tmp_path):
    refusal(tmp_path / "nowhere", tmp_path / "nowhere", "config.json", "Hub id", ".ckpt")


def lightning(model):
    return {
        "state_dict": {f"net.{name}": tensor for name, tensor in model.state_dict().items()},
        "lseg_config": model.config.to_dict(),
        "epoch": 3,
        "optimizer_states": [{"state": {}, "param_groups": []}],
    }


def test_a_lightning_checkpoint_of_this_project_loads(model, tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save(lightning(model), path)
    loaded = load_model(path)
    assert loaded.config == model.config
    assert not loaded.training
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert_close(loaded(pixels, ["road"]), model(pixels, ["road"]), rtol=0, atol=1e-6)


def test_a_lightning_checkpoint_is_loaded_strictly(model, tmp_path):
    path = tmp_path / "last.ckpt"
    values = lightning(model)
    del values["state_dict"]["net.project.bias"]
    torch.save(values, path)
    refusal(path, path, "'project.bias'")


@pytest.mark.parametrize(
    ("name", "value"), [("net.note", "by hand"), (7, torch.zeros(1))], ids=["text", "no name"]
)
def test_what_is_no_tensor_with_a_name_is_told(model, tmp_path, name, value):
    values = lightning(model)
    values["state_dict"][name] = value
    torch.save(values, tmp_path / "last.ckpt")
    refusal(tmp_path / "last.ckpt", "no tensor with a name", name)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        {"state_dict": {}},
        {"lseg_config": None, "state_dict": {}},
        {"lseg_config": {}},
        {"lseg_config": {}, "state_dict": None},
    ],
)
def test_a_checkpoint_of_something_else_is_refused(values, config, tmp_path):
    if isinstance(values, dict) and values.get("lseg_config") == {}:
        values["lseg_config"] = config.to_dict()
    path = tmp_path / "other.ckpt"
    torch.save(values, path)
    refusal(path, path)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_pickle_that_would_run_code_does_not_run_it(model, tmp_path, writer):
    path, witness = tmp_path / "evil.ckpt", tmp_path / "witness"
    values = {**lightning(model), "callbacks": WritesAFile(witness)}
    if writer == "torch":
        torch.save(values, path)
    else:
        path.write_bytes(pickle.dumps(values))
    refusal(path, path)
    assert not witness.exists()
    if writer == "torch":  # it would have run
        torch.load(path, weights_only=False)
        assert witness.read_text() == "ran"


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(100))
    refusal(path, path)


def test_saving_again_replaces_both_files_and_leaves_nothing_else(model, folder):
    with torch.no_grad():
        model.project.bias.add_(1)
    model.save_pretrained(folder)
    assert torch.equal(load_model(folder).project.bias, model.project.bias)
    assert sorted(contents(folder)) == ["config.json", "model.safetensors"]


def test_a_save_whose_weights_cannot_be_written_leaves_the_old_files(model, folder):
    before = contents(folder)
    model.twin = nn.Linear(2, 2)
    model.twin.weight = model.project.bias  # safetensors refuses tensors that share memory
    with pytest.raises(RuntimeError, match="share memory"):
        model.save_pretrained(folder)
    assert contents(folder) == before


def test_a_save_whose_configuration_cannot_be_written_leaves_the_old_files(model, folder):
    before = contents(folder)
    options = {**model.config.trunk.backbone_options, "act_layer": nn.ReLU}  # fine for timm
    trunk = dataclasses.replace(model.config.trunk, backbone_options=options)
    other = LSeg(dataclasses.replace(model.config, trunk=trunk))
    with pytest.raises((TypeError, ValueError)):
        other.save_pretrained(folder)
    assert contents(folder) == before


def test_a_hub_id_without_a_network_is_refused_clearly():
    refusal("someone/some-model", "someone/some-model", "Hub")


def test_a_hub_id_that_is_no_valid_one_is_refused():
    refusal("some one/some?model", "some one/some?model")


def test_a_local_folder_comes_before_a_hub_id(model, folder, monkeypatch):
    monkeypatch.chdir(folder.parent.parent)
    loaded = load_model(f"{folder.parent.name}/{folder.name}")
    assert torch.equal(loaded.project.weight, model.project.weight)
