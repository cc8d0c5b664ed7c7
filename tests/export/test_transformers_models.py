"""Networks that transformers has no class for, wrapped as its models."""

import numpy as np
import pytest
import torch
import transformers
from networks import CONV
from PIL import Image
from transformers import AutoModelForDepthEstimation, AutoModelForSemanticSegmentation

from lseg.checkpoints.load import load_model
from lseg.config import DepthConfig, Preprocessing
from lseg.errors import CheckpointError
from lseg.export.transformers_models import (
    LSegForDepthEstimation,
    LSegForSemanticSegmentation,
    WrappedConfig,
    image_processor,
)
from lseg.models.dpt import DPTDepth

LABELS = ["red circle", "blue square", "other"]


@torch.no_grad()
def test_an_lseg_with_labels_is_saved_opened_and_asked_by_a_pipeline(tmp_path):
    network = load_model("tiny")
    wrapped = LSegForSemanticSegmentation.around(network, LABELS)
    wrapped.save_pretrained(tmp_path)
    image_processor(wrapped).save_pretrained(tmp_path)
    again, told = AutoModelForSemanticSegmentation.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(told.values())
    pixels = torch.randn(2, 3, 96, 128)
    wanted = network(pixels, LABELS)
    assert (wrapped(pixels).logits - wanted).abs().max() == 0
    assert (again.eval()(pixels).logits - wanted).abs().max() < 1e-6
    picture = Image.effect_mandelbrot((128, 128), (-2, -1.5, 1, 1.5), 50).convert("RGB")
    found = transformers.pipeline("image-segmentation", model=str(tmp_path))(picture)
    values = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None]
    labels = network(network.normalize(values), LABELS).argmax(1)[0].numpy()
    for part in found:
        mask = np.asarray(part["mask"]) > 0
        assert (mask == (labels == LABELS.index(part["label"]))).mean() > 0.999
    assert sum((np.asarray(part["mask"]) > 0).sum() for part in found) == labels.size


@torch.no_grad()
def test_a_depth_network_of_any_kind(tmp_path):
    torch.manual_seed(0)
    network = DPTDepth(DepthConfig(CONV, Preprocessing(size=64), invert=True, shift=0.5)).eval()
    wrapped = LSegForDepthEstimation.around(network)
    wrapped.save_pretrained(tmp_path)
    image_processor(wrapped).save_pretrained(tmp_path)
    again = AutoModelForDepthEstimation.from_pretrained(tmp_path).eval()
    pixels = torch.randn(1, 3, 64, 96)
    assert (again(pixels).predicted_depth - network(pixels)).abs().max() < 1e-5
    picture = Image.effect_mandelbrot((64, 64), (-2, -1.5, 1, 1.5), 50).convert("RGB")
    found = transformers.pipeline("depth-estimation", model=str(tmp_path))(picture)
    values = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None]
    wanted = network(network.normalize(values))[0]
    assert (found["predicted_depth"] - wanted).abs().max() < 1e-4


def test_a_configuration_of_no_network_is_refused():
    with pytest.raises(CheckpointError, match="'none': known are lseg"):
        LSegForDepthEstimation(WrappedConfig(architecture="none"))
