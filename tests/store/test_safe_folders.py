import json

import pytest
import torch
from safetensors.torch import save_file

from lseg.checkpoints.backbone import pretrained_backbone
from lseg.config import TrunkConfig
from lseg.errors import CheckpointError
from lseg.store.transformers_folder import read_transformers_config, read_transformers_weights


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no folder .*gone") as caught:
        read_transformers_config(str(tmp_path / "gone"))
    assert "hf:facebook/dinov2-small" in one_line(caught)


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff"])
def test_a_configuration_that_is_none(text, tmp_path):
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckpointError, match=r"config\.json is no configuration") as caught:
        read_transformers_config(str(tmp_path))
    one_line(caught)


def test_pickles_are_not_read(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(CheckpointError, match=r"no model\.safetensors.*can hold code") as caught:
        read_transformers_weights(str(tmp_path))
    one_line(caught)


def test_a_file_that_is_cut_off(tmp_path):
    save_file({"a": torch.ones(100)}, tmp_path / "model.safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:200])
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        read_transformers_weights(str(tmp_path))
    one_line(caught)


def test_shards_are_read_as_one(tmp_path):
    for number in (1, 2):
        save_file({f"w{number}": torch.full((2,), number)}, tmp_path / f"{number}.safetensors")
    shards = {f"w{number}": f"{number}.safetensors" for number in (1, 2)}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    weights = read_transformers_weights(str(tmp_path))
    assert {name: int(value[0]) for name, value in weights.items()} == {"w1": 1, "w2": 2}
    for wrong, part in [
        ({"weight_map": {"a": "../1.safetensors"}}, "to files beside it"),
        ({"weight_map": {"a": "3.safetensors"}}, "cannot be read"),
        ({}, "no weight_map"),
        ({"weight_map": {"a": "1.safetensors"}}, "lacks the weight 'a'"),
    ]:
        index.write_text(json.dumps(wrong))
        with pytest.raises(CheckpointError, match=part) as caught:
            read_transformers_weights(str(tmp_path))
        one_line(caught)


def take_one_away(weights):
    del weights["encoder.layer.1.mlp.fc1.weight"]


def change_a_shape(weights):
    weights["encoder.layer.1.mlp.fc1.weight"] = torch.ones(3, 3)


def rename_all(weights):
    for name in [*weights]:
        weights[f"student.{name}"] = weights.pop(name)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (take_one_away, r"they lack '.*fc1\.weight'"),
        (change_a_shape, r"fc1\.weight' has shape \(3, 3\), expected \(64, 32\)"),
        (rename_all, "they lack"),
    ],
)
def test_weights_that_do_not_fit_name_the_first(change, part, tmp_path):
    from transformers_models import save_model

    save_model("dinov2", tmp_path)
    weights = read_transformers_weights(str(tmp_path))
    change(weights)
    save_file(weights, tmp_path / "other.safetensors")
    options = json.loads((tmp_path / "config.json").read_text())
    config = TrunkConfig(f"hf:{tmp_path}", options, (0, 1, 2, 3))
    with pytest.raises(CheckpointError, match=part) as caught:
        pretrained_backbone(config, str(tmp_path / "other.safetensors"))
    one_line(caught)


@pytest.mark.parametrize(
    ("backbone", "source", "part"),
    [("hf:user/net", "timm", "give hf"), ("resnet18", "hf", "give timm")],
)
def test_the_other_librarys_weights_are_refused(backbone, source, part):
    with pytest.raises(CheckpointError, match=part) as caught:
        pretrained_backbone(TrunkConfig(backbone, {"model_type": "dinov2"}), source)
    one_line(caught)
