"""A tiny real network to write to folders and to read back; its label vectors are in a table."""

import pytest
import torch
from networks import CONV, WIDTH, save_table

from lseg.config import LSegConfig, Preprocessing, TextConfig
from lseg.models.lseg import LSeg

NAMES = ["sky", "road", "other"]


@pytest.fixture
def config(tmp_path):
    return LSegConfig(
        CONV,
        text=TextConfig(table=str(save_table(tmp_path / "table.safetensors", NAMES))),
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
