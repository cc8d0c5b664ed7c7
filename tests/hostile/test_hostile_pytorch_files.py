"""Files of PyTorch and of Lightning that are damaged, hold something else, or would harm."""

import math
import os

import pytest
import torch
from hostile import bounded, outcome, refusal, replaced, some_weight, without
from pickles import shell

import lseg
from lseg.convert.checkpoint import convert
from lseg.errors import CheckpointError
from lseg.models.network import Network


def small(tensor):
    """A million times a million values that are all one, in a file of a kilobyte."""
    return torch.zeros(1, dtype=torch.float16).expand(10**6, 10**6)


STATE_DICTS = {
    "a number as name": lambda net, key: {**net, 5: torch.zeros(1)},
    "a number as weight": lambda net, key: {**net, key: 5},
    "None as weight": lambda net, key: {**net, key: None},
    "a text as weight": lambda net, key: {**net, "net.more": "x"},
    "a list of weights": lambda net, key: {**net, key: [net[key]]},
    "sparse": lambda net, key: {**net, key: net[key].to_sparse()},
    "larger than memory": lambda net, key: {**net, key: small(net[key])},
    "one more, larger than memory": lambda net, key: {**net, "net.more": small(net[key])},
    "without numbers": lambda net, key: {**net, key: net[key].to("meta")},
    "NaN": lambda net, key: {**net, key: net[key] * math.nan},
    "complex": lambda net, key: {**net, key: net[key].to(torch.complex64)},
    "one lacking": lambda net, key: {name: value for name, value in net.items() if name != key},
    "one more": lambda net, key: {**net, "net.more": torch.zeros(1)},
    "none": lambda net, key: {},
}


@pytest.fixture
def lightning(config, weights, model_folder, tmp_path):
    """A file as a training leaves it, of this content."""
    settings = without(config, ("architecture",))
    settings = replaced(settings, ("text", "table"), str(model_folder / config["text"]["table"]))

    def save(state_dict, **more):
        path = tmp_path / "last.ckpt"
        torch.save({"state_dict": state_dict, "lseg_config": settings, **more}, path)
        return path

    return save


def test_a_lightning_checkpoint_is_loaded(lightning, weights):
    assert isinstance(
        lseg.load_model(lightning({f"net.{k}": v for k, v in weights.items()})), Network
    )


@pytest.mark.parametrize("name", STATE_DICTS)
def test_a_lightning_checkpoint_with_other_weights(lightning, weights, tmp_path, name):
    net = {f"net.{key}": value for key, value in weights.items()}
    path = lightning(STATE_DICTS[name](net, f"net.{some_weight(weights)}"))
    with bounded(seconds=60, gigabytes=0.5):
        refusal(lambda: lseg.load_model(path))
        refusal(lambda: convert(path, tmp_path / "made"))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"trunk": [[[[]]]]},
        {"labels": {1, 2}},
        {5: 6},
        {"embed_dim": torch.tensor(16)},
        [1],
        None,
    ],
    ids=repr,
)
def test_a_lightning_checkpoint_with_other_settings(lightning, weights, settings):
    net = {f"net.{key}": value for key, value in weights.items()}
    assert refusal(lambda: lseg.load_model(lightning(net, lseg_config=settings)))


CONTENTS = [
    [1],
    5,
    "x",
    None,
    {},
    {"state_dict": {}},
    {"state_dict": [1]},
    torch.zeros(3),
    {"model": 1},
]


@pytest.mark.parametrize("content", CONTENTS, ids=repr)
@pytest.mark.parametrize("suffix", [".ckpt", ".pth", ".bin"])
def test_a_file_of_pytorch_that_holds_no_network(tmp_path, content, suffix):
    path = tmp_path / f"model{suffix}"
    torch.save(content, path)
    assert str(path) in refusal(lambda: lseg.load_model(path))
    assert str(path) in refusal(lambda: convert(path, tmp_path / "made"))
    assert not (tmp_path / "made").exists()


class Runs:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (shell(self.witness),)


@pytest.mark.parametrize("place", ["settings", "weights", "beside", "alone"])
@pytest.mark.parametrize("suffix", [".ckpt", ".pth", ".safetensors"])
def test_a_pickle_that_runs_a_program_runs_none(tmp_path, place, suffix):
    witness, path = tmp_path / "witness", tmp_path / f"model{suffix}"
    evil, plain = Runs(witness), {"net.a": torch.zeros(2)}
    content = {
        "settings": {"state_dict": plain, "lseg_config": {"trunk": evil}},
        "weights": {"state_dict": {**plain, "evil": evil}, "lseg_config": {}},
        "beside": {"state_dict": plain, "lseg_config": {}, "callbacks": [evil]},
        "alone": evil,
    }[place]
    torch.save(content, path)
    assert isinstance(outcome(lambda: lseg.load_model(path)), CheckpointError)
    assert isinstance(outcome(lambda: convert(path, tmp_path / "made")), CheckpointError)
    assert not witness.exists()
