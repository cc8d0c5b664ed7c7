"""What the authors' checkpoints do not say themselves: spatial blocks, labels, depth."""

import dataclasses

import pytest
import torch
from official import BLOCK_KEYS, NO_BLOCK, blank, network, recognised, refusal

from lseg.convert.official import SpatialBlockOptions


@pytest.mark.parametrize("key", BLOCK_KEYS)
def test_spatial_blocks_must_be_described(key):
    weights = blank("lseg_clip_vitb32_384")
    weights[key] = torch.empty((1, 1, 3, 3) if key.endswith("weight") else (1,), device="meta")
    message = refusal(recognised, weights)
    assert all(option in message for option in ("--block", "bottleneck", "depthwise"))


@pytest.mark.parametrize("kind", ["depthwise", "bottleneck"])
def test_spatial_blocks_as_described(kind):
    weights = blank("lseg_clip_vitb32_384")
    shapes = [(1, 1, 3, 3), (1,)]
    weights.update(
        {key: torch.empty(s, device="meta") for key, s in zip(BLOCK_KEYS, shapes, strict=True)}
    )
    conversion = recognised(weights, SpatialBlockOptions(kind, 2, "tanh"))
    config = conversion.config
    assert (config.block, config.block_depth, config.block_activation) == (kind, 2, "tanh")
    blocks = [key for key in conversion.weights if key.startswith("spatial_block.")]
    assert sorted(blocks) == ["spatial_block.conv.bias", "spatial_block.conv.weight"]
    wanted = dataclasses.replace(network("lseg_clip_vitb32_384")[0], block=kind, block_depth=2,
                                 block_activation="tanh")  # fmt: skip
    assert config == wanted


def test_spatial_blocks_that_are_not_there_are_refused():
    message = refusal(recognised, blank("lseg_clip_vitb32_384"), SpatialBlockOptions("depthwise"))
    assert "--block" in message


@pytest.mark.parametrize("count", [1, 149, 151])
def test_labels_must_be_as_many_as_classes(count):
    labels = tuple(f"label {index}" for index in range(count))
    message = refusal(recognised, blank("dpt_large-ade20k"), NO_BLOCK, labels)
    assert "150" in message
    assert str(count) in message


def test_labels_and_depth_options_reach_the_configuration():
    labels = tuple(f"label {index}" for index in range(150))
    config = recognised(blank("dpt_large-ade20k"), labels=labels).config
    assert config.labels == labels
    config = recognised(blank("dpt_hybrid-midas"), scale=3.0, shift=0.5, invert=True).config
    assert (config.scale, config.shift, config.invert) == (3.0, 0.5, True)
