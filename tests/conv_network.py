"""A tiny real network, its label table, and pictures of coloured blocks."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lseg.config import LSegConfig, Preprocessing, TextConfig, TrunkConfig
from lseg.models.lseg import LSeg

WIDTH = 16
NAMES = ["sky", "road", "tree", "car", "other"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.safetensors"
    vectors = torch.nn.functional.normalize(torch.randn(len(NAMES), WIDTH), dim=-1)
    save_file({"embeddings": vectors}, path, metadata={"labels": json.dumps(NAMES)})
    return path


@pytest.fixture
def picture():
    """Makes (3, height, width) uint8 tensors of blocks in random colours."""
    rng = np.random.default_rng(0)

    def draw(height, width, block=8):
        rows, columns = -(-height // block), -(-width // block)
        colours = rng.integers(0, 256, size=(3, rows, columns), dtype=np.uint8)
        full = colours.repeat(block, axis=1).repeat(block, axis=2)
        return torch.from_numpy(full[:, :height, :width].copy())

    return draw


@pytest.fixture
def model(table, picture):
    """Its embeddings are centred, so that random labels each win some pixels."""
    trunk = TrunkConfig(
        "resnet10t", {"channels": [8, 8, 16, 16]}, (1, 2, 3, 4), (8, 8, 16, 16), "ignore", 8
    )
    text = TextConfig(table=str(table))
    model = LSeg(LSegConfig(trunk, Preprocessing(size=64), text, embed_dim=WIDTH)).eval()
    with torch.no_grad():
        embeddings = model.encode_image(model.normalize(picture(96, 96)[None]))
        model.project.bias -= embeddings.mean((0, 2, 3))
    return model


@pytest.fixture
def text(model):
    return model.encode_labels(NAMES)
