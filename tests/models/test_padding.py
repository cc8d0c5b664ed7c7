import pytest
import timm
import torch
from timm.layers import Conv2dSame
from timm.layers.pool2d_same import MaxPool2dSame
from torch import nn

from lseg.config import TrunkConfig
from lseg.models.build import build_backbone
from lseg.models.padding import SameConv2d, SameMaxPool2d, use_fixed_padding


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_layers_give_what_timms_give_where_the_stride_divides(kernel, stride, dilation):
    theirs = nn.Sequential(
        Conv2dSame(3, 6, kernel, stride, dilation=dilation, groups=3),
        nn.Sequential(MaxPool2dSame(kernel, stride)),
    )
    ours = nn.Sequential(*theirs)
    weights = ours.state_dict()
    pixels = torch.randn(2, 3, 32, 48)
    wanted = theirs(pixels)
    use_fixed_padding(ours)
    assert isinstance(ours[0], SameConv2d)
    assert isinstance(ours[1][0], SameMaxPool2d)
    assert list(ours.state_dict()) == list(weights)
    torch.testing.assert_close(ours(pixels), wanted, rtol=0, atol=0)


def test_a_network_of_tensorflow_gives_timms_maps():
    name, levels = "tf_efficientnet_lite0", (1, 2, 3, 4)
    backbone = build_backbone(TrunkConfig(name, {}, levels)).eval()
    assert any(isinstance(module, SameConv2d) for module in backbone.modules())
    net = timm.create_model(name, features_only=True, out_indices=levels).eval()
    net.load_state_dict(backbone.net.state_dict())
    pixels = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for level, wanted in zip(backbone(pixels), net(pixels), strict=True):
            torch.testing.assert_close(level.map, wanted, rtol=0, atol=0)
