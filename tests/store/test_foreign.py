"""State dicts are found in every usual layout, whatever else a checkpoint holds."""

import argparse
import collections
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch
from pickles import assert_equal
from safetensors.torch import save_file

from lseg.store.foreign import read_state_dict


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        collections.OrderedDict,
        lambda weights: {"state_dict": weights, "epoch": 3, "global_step": 10},
        lambda weights: {"model": weights, "optimizer": {"state": {}, "param_groups": [{"lr": 1}]}},
        lambda weights: {**weights, "epoch": 3, "note": "by hand", "nothing": None},
    ],
    ids=["bare", "ordered", "lightning", "model and optimizer", "with other entries"],
)
def test_tensors_are_found_in_every_usual_layout(save, weights, wrap):
    assert_equal(read_state_dict(save(wrap(weights))), weights)


def test_the_state_dict_of_a_module_with_its_metadata(save):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    weights = net.state_dict()
    assert weights._metadata  # an attribute, which the pickle sets
    assert_equal(read_state_dict(save(weights)), weights)


def test_safetensors(tmp_path, weights):
    weights = {key: tensor.detach().contiguous().clone() for key, tensor in weights.items()}
    save_file(weights, tmp_path / "model.safetensors")
    found = read_state_dict(tmp_path / "model.safetensors")
    assert_equal({key: found[key] for key in weights}, weights)


def test_hyper_parameters_of_arbitrary_classes_are_passed_over(save, weights, vanished):
    counter = collections.Counter("abba")
    values = {
        "state_dict": weights,
        "hyper_parameters": argparse.Namespace(lr=0.1, path=Path("data"), nested=vanished(a=1)),
        "set": {vanished(b=2), "word"},
        "keys": {vanished(c=3): 1},
        "more": [vanished(), counter, collections.defaultdict(list, a=[1]), slice(1, 2), 1j],
        "function": os.path.join,
        "class": argparse.Namespace,
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}}],
        "callbacks": {vanished: {"best": torch.tensor(0.5), "path": Path("best.ckpt")}},
    }
    path = save(values)
    del sys.modules["vanished_lseg"]
    with pytest.raises(pickle.UnpicklingError):  # so that it is the second loader's turn
        torch.load(path, weights_only=True)
    assert_equal(read_state_dict(path), weights)


def test_entries_beside_the_tensors_of_a_state_dict_are_passed_over(save, weights, vanished):
    path = save({**weights, "options": vanished(a=1)})
    del sys.modules["vanished_lseg"]
    assert_equal(read_state_dict(path), weights)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source")
def test_a_module_among_the_hyper_parameters_is_passed_over(save, weights, vanished):
    criterion = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    path = save(
        {"state_dict": weights, "hyper_parameters": {"criterion": criterion, "o": vanished()}}
    )
    assert_equal(read_state_dict(path), weights)
