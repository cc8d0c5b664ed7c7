import dataclasses

import numpy as np
import pytest
import torch

from lseg.config import LSegConfig
from lseg.errors import ConfigError
from lseg.models.build import build_spatial_block
from lseg.models.regularization import SpatialBlock

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "lrelu": lambda x: np.where(x > 0, x, 0.01 * x),
    "tanh": np.tanh,
}


def naive(logits, kernel, bias, kind, depth, activation):
    """(N, h, w) to the same, label by label and pixel by pixel."""
    for step in range(depth):
        padded = np.pad(logits, ((0, 0), (1, 1), (1, 1)))
        out = np.zeros_like(logits)
        for n, y, x in np.ndindex(*logits.shape):
            out[n, y, x] = (padded[n, y : y + 3, x : x + 3] * kernel).sum() + bias
            if kind == "bottleneck":
                out[n, y, x] += logits[:, y, x].max()
        logits = out if step == depth - 1 else ACTIVATIONS[activation](out)
    return logits


@pytest.mark.parametrize("kind", ["depthwise", "bottleneck"])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("activation", ["relu", "lrelu", "tanh"])
def test_block_against_numpy(kind, depth, activation):
    block = SpatialBlock(kind, depth, activation).double()
    logits = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    kernel, bias = block.conv.weight[0, 0].detach().numpy(), block.conv.bias.item()
    with torch.no_grad():
        ours = block(logits)
    for image in range(2):
        expected = naive(logits[image].numpy(), kernel, bias, kind, depth, activation)
        np.testing.assert_allclose(ours[image].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["depthwise", "bottleneck"])
def test_one_kernel_serves_any_number_of_labels(kind):
    block = SpatialBlock(kind, 2, "relu")
    assert {name: tuple(value.shape) for name, value in block.state_dict().items()} == {
        "conv.weight": (1, 1, 3, 3),
        "conv.bias": (1,),
    }
    for count in (1, 2, 7):
        assert block(torch.randn(2, count, 4, 5)).shape == (2, count, 4, 5)


@pytest.mark.parametrize("kind", ["depthwise", "bottleneck"])
def test_order_of_the_labels_does_not_matter(kind):
    block = SpatialBlock(kind, 2, "tanh")
    logits, order = torch.randn(1, 5, 4, 4), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(block(logits[:, order]), block(logits)[:, order])


@pytest.mark.parametrize("kind", ["depthwise", "bottleneck"])
def test_last_application_has_no_activation(kind):
    block = SpatialBlock(kind, 1, "relu")
    torch.nn.init.constant_(block.conv.bias, -50)
    assert (block(torch.randn(1, 2, 4, 4)) < 0).all()


def test_input_is_left_alone():
    logits = torch.randn(1, 2, 4, 4)
    before = logits.clone()
    SpatialBlock("bottleneck", 2, "relu")(logits)
    assert torch.equal(logits, before)


def test_config_chooses_the_block():
    config = LSegConfig(block="bottleneck", block_depth=2, block_activation="lrelu")
    block = build_spatial_block(config)
    assert block.bottleneck
    assert block.depth == 2
    assert isinstance(block.activation, torch.nn.LeakyReLU)
    assert not build_spatial_block(dataclasses.replace(config, block="depthwise")).bottleneck
    nothing = build_spatial_block(dataclasses.replace(config, block="none"))
    logits = torch.randn(1, 2, 4, 4)
    assert nothing(logits) is logits
    assert not list(nothing.parameters())


@pytest.mark.parametrize(
    "wrong", [{"block_depth": 0}, {"block": "depthwize"}, {"block_activation": "gelu"}]
)
def test_block_that_cannot_be_built(wrong):
    config = LSegConfig(block="depthwise", block_depth=1)
    with pytest.raises(ConfigError):
        build_spatial_block(dataclasses.replace(config, **wrong))
