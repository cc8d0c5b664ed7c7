import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lseg.models.derived import DerivedWeights, can_derive
from lseg.models.upconv import UpsampledConvolution


def layers(scale, dtype=torch.float64, widths=(5, 6, 7)):
    channels, middle, features = widths
    up = nn.ConvTranspose2d(channels, middle, scale, stride=scale)
    return up.to(dtype), nn.Conv2d(middle, features, 3, padding=1, bias=False).to(dtype)


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 3), (5, 4)])
@torch.no_grad()
def test_one_convolution_equals_two_up_to_the_edges(scale, size):
    up, conv = layers(scale)
    x = torch.randn(2, 5, *size, dtype=torch.float64)
    found = UpsampledConvolution()(x, up, conv)
    assert found.shape == (2, 7, scale * size[0], scale * size[1])
    torch.testing.assert_close(found, conv(up(x)), atol=1e-12, rtol=0)


@torch.no_grad()
def test_float32_is_as_near_to_float64_as_two_steps_are():
    up, conv = layers(4, torch.float32, (64, 64, 64))
    x = torch.randn(1, 64, 6, 5)
    exact = copy.deepcopy(conv).double()(copy.deepcopy(up).double()(x.double()))
    ours = (UpsampledConvolution()(x, up, conv) - exact).abs().max()
    assert ours < 1e-5
    assert ours < 4 * (conv(up(x)) - exact).abs().max()


@torch.no_grad()
def test_enlarged_map_is_not_made_in_inference(monkeypatch):
    up, conv = layers(2)
    monkeypatch.setattr(up, "forward", lambda x: pytest.fail("upsampled by itself"))
    UpsampledConvolution()(torch.randn(1, 5, 3, 4, dtype=torch.float64), up, conv)


def test_gradients_reach_both_kernels():
    up, conv = layers(2)
    UpsampledConvolution()(torch.randn(1, 5, 3, 4).double(), up, conv).square().sum().backward()
    for weight in (up.weight, up.bias, conv.weight):
        assert weight.grad.abs().max() > 0


@torch.no_grad()
def test_bf16_kernels_are_rounded_once():
    up, conv = layers(4, torch.float32, (32, 32, 32))
    x = torch.randn(1, 32, 6, 5)
    merged = UpsampledConvolution()
    with torch.autocast("cpu", torch.bfloat16):
        found = merged(x, up, conv)
        two_steps = conv(up(x))
    assert found.dtype == torch.bfloat16
    exact = conv(up(x))
    assert (found.float() - exact).std() <= (two_steps.float() - exact).std()


def changes(up, conv):
    """Ways in which weights change, each by name."""
    yield "in place", lambda: up.weight.mul_(2)
    yield "a bias", lambda: up.bias.add_(1)
    yield "loaded", lambda: conv.load_state_dict({"weight": torch.randn_like(conv.weight)})
    yield "replaced", lambda: setattr(conv, "weight", nn.Parameter(torch.randn_like(conv.weight)))
    yield "other memory", lambda: setattr(up.weight, "data", torch.randn_like(up.weight))
    yield "converted", lambda: up.to(memory_format=torch.channels_last)


@torch.no_grad()
def test_merged_kernel_follows_the_weights():
    up, conv = layers(2)
    merged, x = UpsampledConvolution(), torch.randn(1, 5, 3, 4, dtype=torch.float64)
    merged(x, up, conv)
    for name, change in changes(up, conv):
        change()
        wanted = conv(up(x))
        torch.testing.assert_close(merged(x, up, conv), wanted, msg=lambda m, n=name: f"{n}: {m}")


def doubled(weight, dtype):
    doubled.calls += 1
    return (2 * weight).to(dtype)


@torch.no_grad()
def test_derived_weights_are_computed_once_and_copies_start_without_them():
    doubled.calls = 0
    derived, weight = DerivedWeights(doubled), torch.ones(3)
    for _ in range(3):
        assert torch.equal(derived(weight, dtype=torch.float32), torch.full((3,), 2.0))
    assert doubled.calls == 1
    derived(weight, dtype=torch.bfloat16)
    assert doubled.calls == 2
    twin = copy.deepcopy(derived)
    twin(weight, dtype=torch.bfloat16)
    assert doubled.calls == 3
    weight.add_(1)
    assert torch.equal(derived(weight, dtype=torch.float32), torch.full((3,), 4.0))


def test_nothing_is_derived_where_something_is_differentiated():
    weight = nn.Parameter(torch.ones(3))
    assert not can_derive(weight)
    with torch.no_grad():
        assert can_derive(weight)
    with torch.inference_mode():
        assert can_derive(weight)
        assert not can_derive(torch.ones(3))  # has no version counter


@torch.no_grad()
def test_networks_use_it_and_save_nothing_of_it(tiny_vit_config):
    from lseg.models.lseg import LSeg

    model = LSeg(tiny_vit_config).eval()
    before = set(model.state_dict())
    pixels, text = torch.randn(1, 3, 64, 80), F.normalize(torch.randn(3, 24), dim=-1)
    merged = model(pixels, text)
    assert model.trunk.reassemble[0]._upsampled._merged._kept is not None
    assert set(model.state_dict()) == before
    with torch.enable_grad():
        plain = model(pixels, text)
    torch.testing.assert_close(merged, plain.detach(), atol=1e-5, rtol=0)
