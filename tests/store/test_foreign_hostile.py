"""Checkpoints that would run code are read without running it."""

import builtins
import collections
import contextlib
import functools
import importlib
import os
import pickle
import tarfile
from pathlib import Path

import pytest
import torch
from pickles import refusal, shell

from lseg.errors import CheckpointError
from lseg.store.foreign import read_state_dict


class Call:
    """Pickles as a call of `function`; of the result of another one, if it is a `Call`."""

    def __init__(self, function, *arguments, state=None, items=None):
        self.parts = (function, arguments, state, items)

    def __reduce__(self):
        return self.parts

    def __call__(self):
        """Only so that pickle takes it for a function."""


class RunsOnState:
    """Runs when its state is set."""

    def __init__(self, state=None):
        self.state = state

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        Path(state).write_text("ran")


class RunsOnItems(list):
    """Runs when items are added."""

    def append(self, item):
        Path(item).write_text("ran")

    def extend(self, items):
        for item in items:
            Path(item).write_text("ran")


def with_state(path):
    return RunsOnState(str(path))


def with_items(path):
    return Call(RunsOnItems, items=iter([str(path)]))


def code(path):
    return f"open({str(path)!r}, 'w').write('ran')"


HOSTILE = {
    "os.system": lambda path: Call(os.system, shell(path)),
    "exec": lambda path: Call(builtins.exec, code(path)),
    "eval": lambda path: Call(builtins.eval, code(path)),
    "method": lambda path: Call(Path.write_text, path, "ran"),
    "getattr": lambda path: Call(
        Call(getattr, Call(importlib.import_module, "os"), "system"), shell(path)
    ),
    "partial": lambda path: Call(Call(functools.partial, os.system, shell(path))),
    "dotted name": lambda path: Call(
        Call(torch._utils._import_dotted_name, "os.system"), shell(path)
    ),
    "tensor's argument": lambda path: Call(
        torch._utils._rebuild_tensor_v2, Call(os.system, shell(path)), 0, (1,), (1,), False, {}
    ),
    "parameter's argument": lambda path: Call(
        torch._utils._rebuild_parameter, torch.zeros(1), False, Call(builtins.exec, code(path))
    ),
    "state of a dict": lambda path: Call(
        collections.OrderedDict, state={"items": Call(os.system, shell(path))}
    ),
    "state": with_state,
    "items": with_items,
}
PLACES = {
    "hyper-parameter": lambda weights, evil: {
        "state_dict": weights,
        "hyper_parameters": {"e": evil},
    },
    "value of the state dict": lambda weights, evil: {"state_dict": {**weights, "evil": evil}},
    "nested": lambda weights, evil: {"model": {**weights, "deep": [({"x": (evil,)},)]}},
    "first": lambda weights, evil: {"callbacks": [evil], "state_dict": weights},
}


def runs(path, witness):
    """Whether PyTorch's unsafe loader runs what the file holds."""
    with contextlib.suppress(Exception):  # it may well fail after it has run
        torch.load(path, weights_only=False)
    ran = witness.exists()
    witness.unlink(missing_ok=True)
    return ran


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_pickle_never_runs(save, tmp_path, attack, place):
    witness = tmp_path / "witness"
    weights = {"w": torch.arange(4.0)}
    path = save(PLACES[place](weights, HOSTILE[attack](witness)))
    witness.unlink(missing_ok=True)
    try:
        found = read_state_dict(path)
    except CheckpointError as error:
        assert "argument" in attack, error  # no tensor to be had
        found = weights
    assert not witness.exists()
    assert torch.equal(found["w"], weights["w"])
    if attack != "state of a dict" or place == "first":
        assert runs(path, witness)


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_pickle_in_place_of_everything_never_runs(save, tmp_path, attack):
    witness = tmp_path / "witness"
    path = save(HOSTILE[attack](witness))
    refusal(path)
    assert not witness.exists()


def test_a_bare_pickle_never_runs(tmp_path):
    path, witness = tmp_path / "model.pth", tmp_path / "witness"
    path.write_bytes(pickle.dumps({"w": torch.zeros(2), "x": Call(os.system, shell(witness))}))
    refusal(path)
    assert not witness.exists()


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_archive_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.trace(torch.nn.ReLU(), torch.zeros(1)).save(path)
    refusal(path)


def test_the_tar_format_of_old_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    (tmp_path / "storages").write_bytes(pickle.dumps(0))
    with tarfile.open(path, "w") as file:
        for name in ("storages", "tensors", "pickle"):
            file.add(tmp_path / "storages", name)
    refusal(path)
