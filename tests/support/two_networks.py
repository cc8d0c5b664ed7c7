"""A segmenter of a convolutional network, and of a transformer."""

import pytest
from drawing import draw
from networks import CONV, VIT, WIDTH, centre, save_table

from lseg.config import LSegConfig, Preprocessing, TextConfig
from lseg.inference.segmenter import Segmenter
from lseg.models.lseg import LSeg

NAMES = ["sky", "road", "tree", "car", "other"]
one_model = pytest.mark.parametrize("model", ["conv"], indirect=True)


@pytest.fixture(params=["conv", "vit"])
def model(request, tmp_path):
    """Its embeddings are centred, so that random labels each win some pixels."""
    trunk = CONV if request.param == "conv" else VIT
    text = TextConfig(table=str(save_table(tmp_path / "table.safetensors", NAMES)))
    model = LSeg(LSegConfig(trunk, Preprocessing(size=64), text, embed_dim=WIDTH)).eval()
    centre(model, draw(96, 96))
    return model


@pytest.fixture
def segmenter(model):
    return Segmenter(model)
