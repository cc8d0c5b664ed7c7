"""A tiny real network with a spatial block or without, its label table, and drawn pictures."""

import json

import pytest
import torch
from drawing import draw
from safetensors.torch import save_file

from lseg.config import LSegConfig, Preprocessing, TextConfig, TrunkConfig
from lseg.models.lseg import LSeg

WIDTH = 16
NAMES = ["sky", "road", "tree", "car", "other"]


@pytest.fixture
def make_model(tmp_path):
    """Builds the network; embeddings are centred, so that random labels each win some pixels."""

    def make(block="none"):
        table = tmp_path / "table.safetensors"
        vectors = torch.nn.functional.normalize(torch.randn(len(NAMES), WIDTH), dim=-1)
        save_file({"embeddings": vectors}, table, metadata={"labels": json.dumps(NAMES)})
        options = {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64}
        trunk = TrunkConfig(
            "vit_tiny_patch16_224", options, (0, 1, 2, 3), (8, 8, 16, 16), features=8
        )
        text = TextConfig(table=str(table))
        config = LSegConfig(trunk, Preprocessing(size=64), text, WIDTH, block=block, block_depth=2)
        model = LSeg(config).eval().requires_grad_(False)
        pixels = torch.from_numpy(draw(96, 96)).permute(2, 0, 1)[None]
        model.project.bias -= model.encode_image(model.normalize(pixels)).mean((0, 2, 3))
        return model

    return make


@pytest.fixture
def model(make_model):
    return make_model()
