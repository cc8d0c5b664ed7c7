"""Weight standardisation of the hybrid's stem."""

import numpy as np
import pytest
import torch
from timm.layers import StdConv2dSame
from torch import nn

from lseg.config import DepthConfig, TrunkConfig
from lseg.models.dpt import DPTDepth
from lseg.models.std_conv import WeightStandardizedConv2d, use_original_standardization

HYBRID = TrunkConfig(
    "vit_base_r50_s16_384",
    {"depth": 2, "embed_dim": 32, "num_heads": 2, "img_size": 64},
    (0, 1, 0, 1),
    (256, 512, 32, 32),
    features=16,
)


def standardized(weight, eps=1e-5):
    """(w - mean) / (std + eps) of each output channel, in float64."""
    flat = weight.reshape(len(weight), -1)
    mean = flat.mean(1, keepdims=True)
    std = np.sqrt(((flat - mean) ** 2).mean(1, keepdims=True))
    return ((flat - mean) / (std + eps)).reshape(weight.shape)


def same_convolution(pixels, weight, stride):
    """Convolution with TensorFlow's padding: the surplus goes below and to the right."""
    _, _, height, width = pixels.shape
    outputs, _, size, _ = weight.shape
    rows, columns = -(-height // stride), -(-width // stride)
    down = max((rows - 1) * stride + size - height, 0)
    right = max((columns - 1) * stride + size - width, 0)
    padded = np.pad(
        pixels, [(0, 0), (0, 0), (down // 2, down - down // 2), (right // 2, right - right // 2)]
    )
    result = np.empty((len(pixels), outputs, rows, columns))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            patch = padded[:, :, top : top + size, left : left + size]
            result[:, :, row, column] = np.einsum("bchw,ochw->bo", patch, weight)
    return result


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (3, 2), (7, 2), (1, 2)])
@pytest.mark.parametrize("shape", [(12, 12), (11, 14)])
@torch.no_grad()
def test_weight_standardisation_is_that_of_numpy(size, stride, shape):
    conv = WeightStandardizedConv2d(4, 6, size, stride, bias=False)
    pixels = torch.randn(2, 4, *shape)
    wanted = same_convolution(
        pixels.double().numpy(), standardized(conv.weight.double().numpy()), stride
    )
    assert np.abs(conv(pixels).numpy() - wanted).max() < 1e-4


@torch.no_grad()
def test_small_weights_tell_the_two_formulas_apart():
    conv = WeightStandardizedConv2d(4, 6, 3, bias=False)
    conv.weight.mul_(1e-4)
    theirs = StdConv2dSame(4, 6, 3, eps=1e-8)
    theirs.weight = conv.weight
    pixels = torch.randn(2, 4, 12, 12)
    weight = conv.weight.double().numpy()
    wanted = same_convolution(pixels.double().numpy(), standardized(weight), 1)
    assert np.abs(conv(pixels).numpy() - wanted).max() < 1e-4
    assert (conv(pixels) - theirs(pixels)).abs().max() > 1e-2


@torch.no_grad()
def test_every_convolution_of_the_hybrid_stem_is_replaced():
    model = DPTDepth(DepthConfig(HYBRID)).eval()
    convolutions = [m for m in model.trunk.backbone.stem.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 52
    assert {type(m) for m in convolutions} == {WeightStandardizedConv2d}
    assert model(torch.randn(1, 3, 45, 67)).shape == (1, 45, 67)


@torch.no_grad()
def test_replacing_keeps_weights_bias_stride_and_groups():
    net = nn.Sequential(nn.Sequential(StdConv2dSame(4, 6, 3, 2, groups=2, bias=True)), nn.ReLU())
    old = net[0][0]
    use_original_standardization(net)
    new = net[0][0]
    assert type(new) is WeightStandardizedConv2d
    assert new.weight is old.weight
    assert new.bias is old.bias
    assert (new.stride, new.groups, new.dilation) == ((2, 2), 2, (1, 1))
    pixels = torch.randn(1, 4, 9, 9)
    assert torch.allclose(new(pixels), old(pixels), atol=1e-3)
