"""Checkpoints of the authors, built from the lists of their keys and shapes."""

import functools

import pytest
import torch
from reference import manifest

from lseg.convert.keymap import Source
from lseg.convert.official import (
    SpatialBlockOptions,
    convert_dpt,
    convert_lseg,
)
from lseg.errors import CheckpointError
from lseg.models.architectures import build_network
from lseg.store.foreign_kinds import is_official_dpt, is_official_lseg
from lseg.store.tensors import load_weights

LSEG = {"lseg_clip_vitl16_384": "vitl16", "lseg_clip_vitb32_384": "vitb32",
        "lseg_clip_resnet101": "resnet101"}  # fmt: skip
DPT = {"dpt_large-midas": "vitl16", "dpt_large-ade20k": "vitl16",
       "dpt_hybrid-midas": "hybrid", "dpt_hybrid-ade20k": "hybrid"}  # fmt: skip
FILE = Source("the file", "net.")
NO_BLOCK = SpatialBlockOptions()
BLOCK_KEYS = [f"scratch.head_block.depthwise.depthwise.{leaf}" for leaf in ("weight", "bias")]


def dtype_of(key):
    return torch.int64 if key.endswith("num_batches_tracked") else torch.float32


def blank(name):
    """A checkpoint without memory."""
    weights = {
        key: torch.empty(shape, dtype=dtype_of(key), device="meta")
        for key, shape in manifest(name).items()
    }
    return {key.removeprefix("net."): tensor for key, tensor in weights.items()}


def recognised(weights, block=NO_BLOCK, labels=(), **depth):
    if is_official_lseg(set(weights)):
        return convert_lseg(weights, FILE, block)
    assert is_official_dpt(set(weights))
    return convert_dpt(weights, FILE, labels, depth)


@functools.cache
def network(name):
    """The network that a manifest stands for, without memory."""
    config = recognised(blank(name)).config
    with torch.device("meta"):
        return config, build_network(config)


def fit(name, conversion):
    """Loads a conversion into its network, which is that of the manifest where shapes agree."""
    config, model = network(name)
    if conversion.config != config:
        with torch.device("meta"):
            model = build_network(conversion.config)

    def called(name):
        return FILE.key(conversion.original(name))

    load_weights(model, conversion.weights, FILE.name, assign=True, called=called)


def refusal(function, *arguments):
    """The message that something is refused with: one line."""
    with pytest.raises(CheckpointError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def hollow(name):
    """A checkpoint whose tensors have the right shapes and one element of memory each."""
    return {
        key: torch.zeros((), dtype=dtype_of(key)).expand(shape)
        for key, shape in manifest(name).items()
    }
