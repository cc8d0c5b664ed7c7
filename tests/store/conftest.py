"""A tiny real network whose label vectors come from a table."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lseg.config import LSegConfig, Preprocessing, TextConfig, TrunkConfig
from lseg.models.lseg import LSeg

WIDTH = 16
NAMES = ["sky", "road", "other"]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "table.safetensors"
    vectors = torch.nn.functional.normalize(torch.randn(len(NAMES), WIDTH), dim=-1)
    save_file({"embeddings": vectors}, path, metadata={"labels": json.dumps(NAMES)})
    trunk = TrunkConfig(
        "resnet10t", {"channels": [8, 8, 16, 16]}, (1, 2, 3, 4), (8, 8, 16, 16), "ignore", 8
    )
    return LSegConfig(
        trunk,
        text=TextConfig(table=str(path)),
        preprocessing=Preprocessing(size=64),
        embed_dim=WIDTH,
        block="depthwise",
        labels=("sky", "road"),
        description="knows nothing",
    )


@pytest.fixture
def model(config):
    """In eval mode, with batch norm statistics that are not the initial ones."""
    model = LSeg(config)
    with torch.no_grad():
        model(torch.randn(2, 3, 64, 64), torch.randn(2, WIDTH))
    return model.eval()
