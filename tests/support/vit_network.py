"""A tiny real network with a spatial block or without, and its label table."""

import pytest
from drawing import draw
from networks import VIT, WIDTH, centre, save_table

from lseg.config import LSegConfig, Preprocessing, TextConfig
from lseg.models.lseg import LSeg

NAMES = ["sky", "road", "tree", "car", "other"]


@pytest.fixture
def make_model(tmp_path):
    """Builds the network; random labels each win some pixels."""

    def make(block="none"):
        text = TextConfig(table=str(save_table(tmp_path / "table.safetensors", NAMES)))
        config = LSegConfig(VIT, Preprocessing(size=64), text, WIDTH, block=block, block_depth=2)
        model = LSeg(config).eval().requires_grad_(False)
        centre(model, draw(96, 96))
        return model

    return make


@pytest.fixture
def model(make_model):
    return make_model()
