import pytest
import torch
from torch import nn

from lseg.errors import CheckpointError
from lseg.store.tensors import load_weights


def test_counters_of_batch_norm_carry_no_weights():
    source, target = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
    nn.init.normal_(source.running_mean)
    weights = source.state_dict()
    del weights["num_batches_tracked"]
    with torch.device("meta"):
        empty = nn.BatchNorm2d(4)
    for model, assign in ((nn.Sequential(target), False), (nn.Sequential(empty), True)):
        load_weights(model, {f"0.{name}": value for name, value in weights.items()}, "it", assign)
        assert torch.equal(model[0].running_mean, source.running_mean)
        assert model[0].num_batches_tracked.item() == 0


def test_other_buffers_are_weights():
    weights = nn.BatchNorm2d(4).state_dict()
    del weights["running_var"]
    with pytest.raises(CheckpointError, match="lacks the weight 'running_var'"):
        load_weights(nn.BatchNorm2d(4), weights, "it")
