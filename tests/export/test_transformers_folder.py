"""Networks that were trained or converted here, opened by transformers as its own."""

import dataclasses

import pytest
import torch
import transformers
from dpt_family import (
    depth_anything,
    dpt_beit,
    dpt_dinov2,
    dpt_swinv2,
    save_peer,
    tipsv2_dpt,
    zoedepth,
)
from PIL import Image
from torch import nn
from transformers import AutoModelForDepthEstimation, DPTForSemanticSegmentation

from lseg.checkpoints.load import load_model
from lseg.cli import main
from lseg.config import DepthConfig, Preprocessing, SegmentationConfig, TrunkConfig
from lseg.errors import LSegError
from lseg.export.transformers_folder import export_folder
from lseg.models.dpt import DPTDepth, DPTSegmentation
from lseg.models.upsample import upsample

LABELS = ("wall", "sky", "tree")
VIT = TrunkConfig(
    "vit_tiny_patch16_224",
    {"depth": 5, "embed_dim": 32, "num_heads": 2, "img_size": 64},
    (0, 1, 2, 3),
    (8, 16, 24, 32),
    features=16,
)


def strict(kind, folder):
    """Opened without remote code, with no weight missing and none left over."""
    found, told = kind.from_pretrained(folder, output_loading_info=True, trust_remote_code=False)
    assert not any(told.values()), told
    return found.eval()


@torch.no_grad()
def assert_same_depth(peer, model, sizes):
    torch.manual_seed(0)
    for size in sizes:
        pixels = torch.randn(2, 3, *size)
        theirs = upsample(peer(pixels).predicted_depth[:, None], size)[:, 0]
        assert theirs.std() > 0.003
        assert (model(pixels) - theirs).abs().max() < 1e-4


SIZES = [(56, 56), (70, 98)]  # of patches of 14
OTHERS = [(64, 64), (64, 128)]


@pytest.mark.parametrize(
    ("peer", "sizes"),
    [
        (lambda: depth_anything("metric"), SIZES),
        (lambda: dpt_dinov2({"use_swiglu_ffn": True}, readout_type="add"), SIZES),
        (lambda: dpt_dinov2(use_batch_norm_in_fusion_residual=True), SIZES),
        (dpt_beit, OTHERS),
        (lambda: dpt_swinv2({"pretrained_window_sizes": [2, 2, 2, 2]}), OTHERS),
        (zoedepth, OTHERS),
        (lambda: zoedepth("nyu", "kitti"), OTHERS),
    ],
    ids=["depth anything", "gated", "batch norm", "beit", "swinv2", "zoedepth", "two domains"],
)
def test_what_was_theirs_is_theirs_again(tmp_path, peer, sizes):
    model = load_model(save_peer(peer(), tmp_path / "theirs"))
    arguments = ["--checkpoint", str(tmp_path / "theirs"), "--out", str(tmp_path / "again")]
    assert main(["export", "--format", "transformers", *arguments]) == 0
    again = strict(AutoModelForDepthEstimation, tmp_path / "again")
    assert_same_depth(again, model, sizes)
    back = load_model(tmp_path / "again")
    weights = model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in back.state_dict().items())


def test_a_plain_dpt_for_depth(tmp_path):
    torch.manual_seed(0)
    model = DPTDepth(DepthConfig(VIT, Preprocessing(size=64))).eval()
    nn.init.constant_(model.depth.bias, 1.0)
    assert export_folder(model, tmp_path) == "DPTForDepthEstimation"
    assert_same_depth(strict(AutoModelForDepthEstimation, tmp_path), model, [(64, 64), (96, 96)])


def test_a_plain_dpt_for_segmentation_in_a_pipeline(tmp_path):
    torch.manual_seed(0)
    model = DPTSegmentation(SegmentationConfig(VIT, Preprocessing(size=64), LABELS)).eval()
    nn.init.normal_(model.norm.running_mean)
    assert export_folder(model, tmp_path) == "DPTForSemanticSegmentation"
    peer = strict(DPTForSemanticSegmentation, tmp_path)
    pixels = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        assert (peer(pixels).logits - model(pixels)).abs().max() < 1e-4
    picture = Image.effect_mandelbrot((64, 64), (-2, -1.5, 1, 1.5), 50).convert("RGB")
    found = transformers.pipeline("image-segmentation", model=str(tmp_path))(picture)
    assert {part["label"] for part in found} <= set(LABELS)
    assert sum(torch.frombuffer(bytearray(part["mask"].tobytes()), dtype=torch.uint8).bool().sum()
               for part in found) == 64 * 64  # fmt: skip


def test_depth_in_a_pipeline(tmp_path):
    model = load_model(save_peer(depth_anything(), tmp_path / "theirs"))
    export_folder(model, tmp_path / "again")
    picture = Image.effect_mandelbrot((56, 56), (-2, -1.5, 1, 1.5), 50).convert("RGB")
    found = transformers.pipeline("depth-estimation", model=str(tmp_path / "again"))(picture)
    bytes_ = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(1, 56, 56, 3)
    with torch.no_grad():
        wanted = model(model.normalize(bytes_.permute(0, 3, 1, 2)))[0]
    assert (found["predicted_depth"] - wanted).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (lambda: DPTDepth(DepthConfig(VIT, invert=True)), "bins or invert"),
        (lambda: DPTDepth(DepthConfig(VIT, hidden=8)), "32 wide"),
        (lambda: DPTDepth(DepthConfig(TrunkConfig(
            "resnet10t", {"channels": [8, 8, 8, 8]}, (1, 2, 3, 4), (8, 8, 8, 8), "ignore", 16
        ))), "no class for a DPTDepth with a resnet10t"),
    ],
)  # fmt: skip
def test_what_transformers_does_not_have_is_refused(tmp_path, model, named):
    with pytest.raises(LSegError, match=named):
        export_folder(model(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_context_is_refused(tmp_path):
    config = load_model(save_peer(dpt_swinv2(), tmp_path / "theirs")).config
    trunk = dataclasses.replace(config.trunk, context=True)
    with pytest.raises(LSegError, match=r"context\.weight' \(no place for it\)"):
        export_folder(DPTDepth(dataclasses.replace(config, trunk=trunk)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tipsv2_is_refused(tmp_path):
    model = load_model(save_peer(tipsv2_dpt(), tmp_path / "theirs"))
    with pytest.raises(LSegError, match="positions but bicubic"):
        export_folder(model, tmp_path / "out")
