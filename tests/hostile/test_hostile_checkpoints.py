"""Native folders that are damaged, of another kind, or made to harm: a network, or one line."""

import json
import math
import shutil

import pytest
import torch
from hostile import VALUES, bounded, outcome, places, refusal, replaced, some_weight, without
from safetensors.torch import save_file

import lseg
from lseg.errors import LSegError
from lseg.models.network import Network


@pytest.fixture
def folder(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "model")


def with_config(folder, content):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "config.json").write_bytes(data)
    return folder


TEXTS = {
    "nothing": b"",
    "cut off": b'{"architecture": "lseg", "trunk": {',
    "a list": b"[]",
    "null": b"null",
    "NaN": b"NaN",
    "no UTF-8": b"\xff\xfe{",
    "zeros": bytes(100),
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "a number of 5,000 digits": b'{"embed_dim": ' + b"1" * 5000 + b"}",
    "YAML": b"architecture: lseg\n",
    "Python": b"__import__('os').system('true')",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_configuration_that_is_none(folder, name):
    text = refusal(lambda: lseg.load_model(with_config(folder, TEXTS[name])))
    assert str(folder) in text


OPTIONS = {
    "a file of weights": {"checkpoint_path": "/etc/passwd"},
    "weights of a hub": {"pretrained": True},
    "another source of weights": {"pretrained_cfg_overlay": {"file": "/etc/passwd"}},
    "another cache": {"cache_dir": "/tmp"},
    "an unknown option": {"evil": 1},
    "a layer that is a program": {"norm_layer": "os.system"},
    "an activation that is none": {"act_layer": "none"},
    "channels that are none": {"channels": {}},
    "a billion channels": {"channels": [10**9] * 4},
    "channels below 0": {"channels": [-8] * 4},
    "a million layers": {"layers": [60_000] * 4},
    "features of its own": {"features_only": False},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_a_backbone_that_would_harm(folder, config, name):
    options = config["trunk"]["backbone_options"] | OPTIONS[name]
    content = replaced(config, ("trunk", "backbone_options"), options)
    with bounded(seconds=60):
        text = refusal(lambda: lseg.load_model(with_config(folder, content)))
    assert "options" in text or "parts" in text or "numbers" in text


NETWORKS = {
    "a million blocks": {"backbone": "vit_tiny_patch16_224", "backbone_options": {"depth": 10**6}},
    "60,000 blocks": {"backbone": "vit_tiny_patch16_224", "backbone_options": {"depth": 60_000}},
    "another backbone": {"backbone": "resnet18", "backbone_options": {}},
    "one that timm lacks": {"backbone": "no_such_net"},
    "one of a hub": {"backbone": "hf-hub:somebody/net"},
    "a path": {"backbone": "../../net"},
    "levels that are not there": {"levels": [1, 2, 3, 400]},
    "a level below 0": {"levels": [-9, 2, 3, 4]},
    "no levels": {"levels": []},
    "no features": {"features": 0},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_the_weights_are_not_of(folder, config, name):
    content = {**config, "trunk": {**config["trunk"], **NETWORKS[name]}}
    with bounded(seconds=60):
        assert refusal(lambda: lseg.load_model(with_config(folder, content)))


ARCHITECTURES = ["dpt-depth", "dpt-segmentation", "clip-text", "x" * 5000, 3, None, ["lseg"], {}]


@pytest.mark.parametrize("name", ARCHITECTURES, ids=lambda name: ascii(name)[:20])
def test_another_architecture(folder, config, name):
    content = {**config, "architecture": name}
    assert refusal(lambda: lseg.load_model(with_config(folder, content)))
    assert refusal(lambda: lseg.LSeg.from_pretrained(folder))


def test_any_value_in_any_place_of_a_configuration(config):
    """Of the configuration itself; what of it can be built is looked at above."""
    refused = 0
    content = without(config, ("architecture",))
    for place in places(content):
        for value in VALUES:
            changed = replaced(content, place, value)
            found = outcome(lambda changed=changed: lseg.LSegConfig.from_dict(changed))
            refused += isinstance(found, LSegError)
            if not isinstance(found, LSegError):
                numbers = (found.logit_scale, *found.preprocessing.mean, *found.preprocessing.std)
                assert all(map(math.isfinite, numbers))
                assert found.preprocessing.size in range(5000)
    assert refused > 500


def test_a_folder_that_lacks_a_file(folder):
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(folder / "elsewhere")
        assert name in refusal(lambda: lseg.load_model(folder))
        (folder / name).mkdir()
        assert name in refusal(lambda: lseg.load_model(folder))
        (folder / name).rmdir()
        (folder / name).symlink_to(name)
        assert name in refusal(lambda: lseg.load_model(folder))
        (folder / name).unlink()
        (folder / "elsewhere").rename(folder / name)
    assert isinstance(lseg.load_model(folder), Network)


BYTES = {
    "nothing": lambda data: b"",
    "the length alone": lambda data: data[:8],
    "half": lambda data: data[: len(data) // 2],
    "all but a byte": lambda data: data[:-1],
    "a byte more": lambda data: data + b"x",
    "a length of 2^63": lambda data: (2**63).to_bytes(8, "little") + data[8:],
    "a length of 2^40": lambda data: (2**40).to_bytes(8, "little") + data[8:],
    "a header of brackets": lambda data: data[:8] + b"[" * (len(data) - 8),
    "a pickle": lambda data: b"\x80\x02]q\0.",
    "a zip": lambda data: b"PK\3\4" + data,
    "a pointer of Git LFS": lambda data: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0"
    ),
    "HTML": lambda data: b"<!DOCTYPE html>" * 9,
}


@pytest.mark.parametrize("name", BYTES)
def test_a_file_of_weights_that_is_damaged(folder, name):
    path = folder / "model.safetensors"
    path.write_bytes(BYTES[name](path.read_bytes()))
    with bounded(gigabytes=0.5):
        assert str(path) in refusal(lambda: lseg.load_model(folder))


TENSORS = {
    "NaN": lambda tensor: tensor * math.nan,
    "one NaN": lambda tensor: tensor.index_fill(0, torch.tensor([0]), math.nan),
    "infinite": lambda tensor: tensor + math.inf,
    "minus infinite": lambda tensor: tensor - math.inf,
    "NaN in half precision": lambda tensor: (tensor * math.nan).half(),
    "NaN in 8 bits": lambda tensor: (tensor * math.nan).to(torch.float8_e4m3fn),
    "whole numbers": lambda tensor: tensor.long(),
    "complex": lambda tensor: tensor.to(torch.complex64),
    "truth values": lambda tensor: tensor > 0,
    "a number": lambda tensor: torch.tensor(1.0),
    "nothing": lambda tensor: torch.zeros(0),
    "one row more": lambda tensor: torch.cat([tensor, tensor[:1]]),
    "flat": lambda tensor: tensor.flatten(),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_weight_that_is_wrong_is_named(folder, weights, name):
    key = some_weight(weights)
    save_file({**weights, key: TENSORS[name](weights[key])}, folder / "model.safetensors")
    assert repr(key) in refusal(lambda: lseg.load_model(folder))


SOURCES = [
    "",
    " ",
    ".",
    "..",
    "/",
    "~",
    "x" * 300,
    "a\0b",
    "\udce9",
    "new\nline",
    "a//b",
    "tiny/",
    "hf://",
    3,
]


@pytest.mark.parametrize("source", SOURCES, ids=ascii)
def test_names_of_no_checkpoint(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refusal(lambda: lseg.load_model(source))
