"""DPT's networks for depth and for fixed classes."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from lseg.config import DepthConfig, Preprocessing, SegmentationConfig, TrunkConfig
from lseg.errors import CheckpointError, ConfigError, ImageError
from lseg.inference.segmenter import ClassSegmenter
from lseg.models.architectures import NETWORKS, build_network, network_type
from lseg.models.dpt import DPTDepth, DPTSegmentation
from lseg.models.upsample import double_size, upsample
from lseg.store.folder import StoredNetwork

LABELS = ("wall", "sky", "tree", "door|gate", "other")
SIZES = [(64, 64), (45, 67), (33, 97), (128, 32)]
VIT = TrunkConfig(
    "vit_tiny_patch16_224",
    {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64},
    (0, 1, 2, 3),
    (8, 16, 24, 32),
    features=16,
    batch_norm=False,
)
CONV = TrunkConfig(
    "resnet10t", {"channels": [8, 16, 24, 32]}, (1, 2, 3, 4), (8, 16, 24, 32), "ignore", 16
)
TRUNKS = pytest.mark.parametrize("trunk", [VIT, CONV], ids=["vit", "conv"])


def depth_model(trunk=VIT, **options):
    """In eval mode, with a bias that keeps most of the map above zero."""
    model = DPTDepth(DepthConfig(trunk, **options)).eval()
    nn.init.constant_(model.depth.bias, 0.1)
    return model


def segmentation_model(trunk=VIT):
    return DPTSegmentation(SegmentationConfig(trunk, labels=LABELS)).eval()


@TRUNKS
@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_depth_has_the_size_of_its_input(trunk, height, width):
    depth = depth_model(trunk)(torch.randn(2, 3, height, width))
    assert depth.shape == (2, height, width)
    assert depth.dtype == torch.float32


@TRUNKS
@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_logits_have_the_size_of_their_input(trunk, height, width):
    logits = segmentation_model(trunk)(torch.randn(2, 3, height, width))
    assert logits.shape == (2, len(LABELS), height, width)


@pytest.mark.parametrize("build", [depth_model, segmentation_model])
@torch.no_grad()
def test_a_picture_off_the_grid_is_the_crop_of_its_padded_self(build):
    model = build()
    pixels = torch.randn(1, 3, 45, 67)
    padded = F.pad(pixels, (0, 96 - 67, 0, 64 - 45), mode="replicate")
    assert_close(model(pixels), model(padded)[..., :45, :67], rtol=0, atol=1e-6)


@pytest.mark.parametrize("build", [depth_model, segmentation_model])
@pytest.mark.parametrize("shape", [(1, 3, 31, 64), (1, 3, 64, 8), (1, 4, 64, 64), (3, 64, 64)])
def test_pixels_of_another_shape_are_refused(build, shape):
    with pytest.raises(ImageError, match="at least 32"):
        build()(torch.randn(shape))


@torch.no_grad()
def test_inverse_depth_is_never_negative_and_cut_at_zero_only():
    model = depth_model()
    kept = {}
    model.depth.register_forward_hook(lambda module, inputs, output: kept.update(raw=output))
    pixels = torch.randn(2, 3, 64, 96)
    model(pixels)
    model.depth.bias -= kept["raw"].median()
    depth, raw = model(pixels), kept["raw"][:, 0]
    assert 0 < (raw < 0).float().mean() < 1  # both occur
    assert depth.min() == 0
    assert torch.equal(depth, raw.clamp_min(0))


@torch.no_grad()
def test_the_depth_head_is_that_of_the_paper():
    """Convolution, twice the size, convolution, ReLU, convolution, ReLU (isl-org/DPT)."""
    model = depth_model()
    features = double_size(model.trunk(pixels := torch.randn(1, 3, 64, 96)))
    assert features.shape[-2:] == (32, 48)
    maps = F.conv2d(features, model.narrow.weight, model.narrow.bias, padding=1)
    maps = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=True)
    maps = F.conv2d(maps, model.refine.weight, model.refine.bias, padding=1).relu()
    maps = F.conv2d(maps, model.depth.weight, model.depth.bias).relu()
    assert torch.allclose(model(pixels), maps[:, 0], atol=1e-6)


@torch.no_grad()
def test_the_segmentation_head_is_that_of_the_paper():
    """Convolution, batch norm, ReLU, classifier, twice the size (isl-org/DPT)."""
    model = segmentation_model()
    nn.init.normal_(model.norm.running_mean)
    nn.init.uniform_(model.norm.running_var, 0.5, 2)
    features = double_size(model.trunk(pixels := torch.randn(1, 3, 64, 96)))
    norm = model.norm
    maps = F.conv2d(features, model.mix.weight, padding=1)
    maps = (maps - norm.running_mean.view(-1, 1, 1)) / (
        norm.running_var.view(-1, 1, 1) + 1e-5
    ).sqrt()
    maps = F.conv2d(maps.relu(), model.classify.weight, model.classify.bias)
    maps = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=True)
    assert torch.allclose(model(pixels), maps, atol=1e-5)
    assert torch.allclose(upsample(model.half_logits(pixels), (64, 96)), maps, atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "shift"), [(0.00006016, 0.00579), (0.000305, 0.1378), (1.0, 0.0)]
)
@torch.no_grad()
def test_inverted_depth(scale, shift):
    plain = depth_model()
    inverted = DPTDepth(dataclasses.replace(plain.config, scale=scale, shift=shift, invert=True))
    inverted.load_state_dict(plain.state_dict())
    pixels = torch.randn(1, 3, 45, 67)
    inverse, metric = plain(pixels), inverted.eval()(pixels)
    wanted = 1 / np.maximum(scale * inverse.double().numpy() + shift, 1e-8)
    assert np.allclose(metric.numpy(), wanted, rtol=1e-5)
    assert metric.isfinite().all()


@torch.no_grad()
def test_inverted_depth_stays_finite_where_the_network_says_nothing():
    model = depth_model(invert=True)
    nn.init.constant_(model.depth.bias, -1000.0)
    depth = model(torch.randn(1, 3, 64, 64))
    assert (depth == 1 / torch.tensor(1e-8)).all()


@pytest.mark.parametrize("invert", [False, True])
@TRUNKS
def test_gradients_of_depth_reach_every_parameter(trunk, invert):
    model = open_branches(depth_model(trunk, invert=invert, shift=0.5)).train()
    nn.init.constant_(model.depth.bias, 1.0)  # above the last ReLU
    (model(torch.randn(2, 3, 64, 96)) * torch.rand(2, 64, 96)).sum().backward()
    assert_gradients(model)


@TRUNKS
def test_gradients_of_segmentation_reach_every_parameter(trunk):
    model = open_branches(segmentation_model(trunk)).train()
    truth = torch.randint(len(LABELS), (2, 64, 96))
    F.cross_entropy(model(torch.randn(2, 3, 64, 96)), truth).backward()
    assert_gradients(model)


def open_branches(model):
    """Makes the scales that timm starts at 0, which close a residual branch, 1."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return model


def assert_gradients(model):
    parameters = dict(model.named_parameters())
    assert parameters
    without = [name for name, value in parameters.items() if value.grad is None]
    assert not without
    zero = [name for name, value in parameters.items() if not value.grad.abs().max() > 0]
    assert not zero


def test_labels_are_a_list_in_the_order_of_the_logits():
    model = segmentation_model()
    assert model.labels == list(LABELS)
    model.labels.append("mine")
    assert model.labels == list(LABELS)
    assert model.classify.out_channels == len(LABELS)


@torch.no_grad()
def test_dropout_is_off_in_eval_mode_and_on_in_training():
    model, pixels = segmentation_model(CONV), torch.randn(2, 3, 64, 64)
    assert_close(model(pixels), model(pixels), rtol=0, atol=1e-6)
    model.dropout.train()
    assert not torch.equal(model(pixels), model(pixels))


def test_a_class_segmenter_gives_the_classes_of_the_model_at_the_size_of_the_picture():
    config = SegmentationConfig(CONV, Preprocessing(size=64), LABELS)
    model = DPTSegmentation(config).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    result = ClassSegmenter(model).segment(Image.fromarray(pixels))
    assert result.labels == list(LABELS)
    assert result.label_map.shape == (50, 70)
    assert result.scores.shape == (len(LABELS), 50, 70)
    with torch.no_grad():
        small = upsample_picture(pixels, (64, 90))
        logits = upsample(model(model.normalize(small)), (50, 70))
    assert (result.label_map == logits.argmax(1)[0].numpy()).mean() > 0.98


def upsample_picture(pixels, size):
    picture = Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("dpt-depth", DepthConfig(VIT, scale=2.0, shift=0.25, invert=True)),
        ("dpt-segmentation", SegmentationConfig(CONV, labels=LABELS)),
    ],
)
def test_networks_are_rebuilt_from_their_name_and_plain_configuration(name, config):
    network = build_network(NETWORKS[name].config_type.from_dict(config.to_dict()))
    assert type(network) is NETWORKS[name]
    assert network.config == config
    assert config.architecture == name


@pytest.mark.parametrize("architecture", ["dpt", None, 3])
def test_an_unknown_architecture_is_refused(architecture):
    with pytest.raises(CheckpointError, match=r"known are lseg, .*dpt-depth, dpt-segmentation"):
        network_type(StoredNetwork("folder", architecture, {}, {}))


@pytest.mark.parametrize("nearest", [10.0, 11.0])
def test_bins_need_depths_to_lie_between(nearest):
    with pytest.raises(ConfigError, match="bins lie between"):
        DPTDepth(DepthConfig(CONV, bins=4, min_depth=nearest, max_depth=10.0))
