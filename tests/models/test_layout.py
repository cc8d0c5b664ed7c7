import pytest
import torch
from torch import nn

from lseg.models.layout import add_in_place, pointwise, side_by_side
from lseg.models.lseg import LSeg


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_pointwise_is_the_1x1_convolution(order):
    conv = nn.Conv2d(5, 7, 1).double()
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64).contiguous(memory_format=order)
    found = pointwise(conv, x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, conv(x), atol=1e-12, rtol=0)


def test_sum_takes_the_memory_of_the_fresh_map_unless_that_is_narrower():
    maps, fresh = torch.randn(3), torch.randn(3)
    wanted = maps + fresh
    assert add_in_place(maps, fresh) is fresh
    assert torch.equal(fresh, wanted)
    half = fresh.bfloat16()
    assert torch.equal(add_in_place(maps, half), maps + half)
    assert add_in_place(maps, half).dtype == torch.float32


@torch.no_grad()
def test_kernels_and_maps_of_the_decoder_lie_in_one_order(tiny_vit_config, tmp_path):
    made = LSeg(tiny_vit_config).eval()
    made.save_pretrained(tmp_path)
    for model in (made, LSeg.from_pretrained(tmp_path)):
        trunk, last = model.trunk, torch.channels_last
        for module in (*trunk.reassemble.modules(), *trunk.fusion.modules()):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                assert module.weight.is_contiguous(memory_format=last)
        levels = trunk.backbone(torch.randn(1, 3, 64, 80))
        for step, level, conv in zip(
            trunk.reassemble, levels, trunk.fusion.level_convs, strict=True
        ):
            assert step.narrowed(level, conv).is_contiguous(memory_format=last)
        assert trunk.decode(levels).is_contiguous(memory_format=last)
    maps = torch.randn(1, 4, 3, 5)
    assert torch.equal(side_by_side(maps), maps)
