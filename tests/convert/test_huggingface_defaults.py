"""What a folder leaves out is what transformers fills in; its configurations name no defaults."""

import json

import pytest
from torch import nn
from transformers import (
    BeitConfig,
    DepthAnythingConfig,
    Dinov2Config,
    DPTConfig,
    Swinv2Config,
    ZoeDepthConfig,
)
from transformers.models.dinov2.modeling_dinov2 import Dinov2SwiGLUFFN

from lseg.convert.huggingface import beit, decoder, depth_anything, dinov2, swinv2, vit, zoedepth


@pytest.mark.parametrize(
    ("config", "defaults"),
    [
        (BeitConfig, beit.DEFAULTS),
        (DepthAnythingConfig, depth_anything.DEFAULTS),
        (DPTConfig, decoder.DEFAULTS),
        (DPTConfig, vit.DEFAULTS),
        (Dinov2Config, dinov2.DEFAULTS),
        (Swinv2Config, swinv2.DEFAULTS),
        (ZoeDepthConfig, zoedepth.DEFAULTS),
    ],
)
def test_defaults_are_those_of_the_library(config, defaults):
    theirs = json.loads(config().to_json_string(use_diff=False))
    assert {name: theirs[name] for name in defaults} == defaults


@pytest.mark.parametrize("hidden_size", [32, 40, 48, 384, 1536])
def test_a_gated_perceptron_is_as_wide_as_the_librarys(hidden_size):
    peer = Dinov2SwiGLUFFN(Dinov2Config(hidden_size=hidden_size))
    layers = [layer for layer in peer.children() if isinstance(layer, nn.Linear)]
    half = next(layer.in_features for layer in layers if layer.out_features == hidden_size)
    values = {"hidden_size": hidden_size, "mlp_ratio": 4}
    assert dinov2.perceptron_width(values, gated=True) == 2 * half
