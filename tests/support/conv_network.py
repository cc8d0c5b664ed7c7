"""A tiny real network, its label table, and pictures of coloured blocks."""

import numpy as np
import pytest
import torch
from networks import CONV, WIDTH, centre, save_table

from lseg.config import LSegConfig, Preprocessing, TextConfig
from lseg.models.lseg import LSeg

NAMES = ["sky", "road", "tree", "car", "other"]


@pytest.fixture
def table(tmp_path):
    return save_table(tmp_path / "table.safetensors", NAMES)


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
    """Random labels each win some pixels."""
    text = TextConfig(table=str(table))
    model = LSeg(LSegConfig(CONV, Preprocessing(size=64), text, embed_dim=WIDTH)).eval()
    centre(model, picture(96, 96).permute(1, 2, 0).numpy())
    return model


@pytest.fixture
def text(model):
    return model.encode_labels(NAMES)
