import dataclasses

import pytest
import torch

from lseg.config import DepthConfig, LSegConfig, TrunkConfig
from lseg.errors import ConfigError
from lseg.models.acceleration import accelerate, computes_bf16, prepare_training
from lseg.models.backbones import PyramidBackbone
from lseg.models.dpt import DPTDepth
from lseg.models.lseg import LSeg

HYBRID = TrunkConfig(
    "vit_base_r50_s16_384",
    {"depth": 2, "embed_dim": 32, "num_heads": 2, "img_size": 64},
    (0, 1, 0, 1),
    (256, 512, 16, 16),
    features=16,
)


def unit(*shape):
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


@pytest.fixture(params=["vit", "conv", "hybrid"])
def config(request, tiny_vit_config, tiny_conv_config):
    return {
        "vit": tiny_vit_config,
        "conv": tiny_conv_config,
        "hybrid": dataclasses.replace(tiny_vit_config, trunk=HYBRID),
    }[request.param]


@torch.inference_mode()
def test_bf16_stays_near_float32_and_the_head_is_float32(config):
    model = LSeg(config).eval()
    pixels, text = torch.randn(2, 3, 64, 80), unit(5, config.embed_dim)
    wanted = model(pixels, text)
    accelerate(model, "bf16")
    logits = model(pixels, text)
    assert logits.dtype == model.encode_image(pixels).dtype == torch.float32
    error = (logits - wanted).abs().max()
    assert 0 < error < 0.05 * wanted.abs().max()
    assert model.project.weight.dtype == model.trunk.project.weight.dtype == torch.float32


@torch.inference_mode()
def test_convolutional_backbones_stay_in_float32_under_bf16(config):
    model = LSeg(config).eval()
    pixels = torch.randn(2, 3, 64, 80)
    wanted = model.trunk.backbone(pixels)
    accelerate(model, "bf16")
    found = []
    model.trunk.backbone.register_forward_hook(lambda m, i, levels: found.extend(levels))
    model.trunk.refine(pixels)
    same = all(torch.equal(a.map, b.map) for a, b in zip(found, wanted, strict=True))
    assert same == isinstance(model.trunk.backbone, PyramidBackbone)
    level_conv = model.trunk.fusion.level_convs[2]
    assert level_conv.weight.dtype == torch.bfloat16  # whose level is not upsampled


@pytest.mark.parametrize(("name", "half"), [("mobilenetv2_035", False), ("resnet10t", True)])
def test_training_keeps_depthwise_backbones_in_float32(name, half):
    """Their gradients in bfloat16 are several times slower; those of others are faster."""
    widths = {"mobilenetv2_035": (8, 16, 32, 112), "resnet10t": (64, 128, 256, 512)}[name]
    trunk = TrunkConfig(name, {}, (1, 2, 3, 4), widths, "ignore", 16)
    model = LSeg(LSegConfig(trunk, embed_dim=24))
    prepare_training(model, "bf16", compiled=False)
    dtypes = []
    model.trunk.backbone.register_forward_hook(
        lambda m, i, levels: dtypes.extend(level.map.dtype for level in levels)
    )
    model.coarse_logits(torch.randn(1, 3, 64, 64), unit(5, 24)).sum().backward()
    assert (torch.bfloat16 in dtypes) == half
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@torch.inference_mode()
def test_depth_networks_too(tiny_conv_config):
    model = DPTDepth(DepthConfig(tiny_conv_config.trunk)).eval()
    torch.nn.init.constant_(model.depth.bias, 5.0)
    pixels = torch.randn(1, 3, 64, 64)
    wanted = model(pixels)
    accelerate(model, "bf16")
    assert (model(pixels) - wanted).abs().max() < 0.02 * wanted.max()


@torch.inference_mode()
def test_int8_stays_near_float32(tiny_vit_config):
    model = LSeg(tiny_vit_config).eval()
    pixels, text = torch.randn(2, 3, 64, 80), unit(5, 24)
    wanted = model(pixels, text)
    accelerate(model, "int8")
    error = (model(pixels, text) - wanted).abs().max()
    assert 0 < error < 0.1 * wanted.abs().max()


def test_what_cannot_be_had_is_refused(tiny_conv_config):
    model = LSeg(tiny_conv_config).eval()
    with pytest.raises(ConfigError, match="transformer backbones"):
        accelerate(model, "int8")
    with pytest.raises(ConfigError, match="'fp8'"):
        accelerate(model, "fp8")


@torch.inference_mode()
def test_auto_is_bf16_where_that_is_native(tiny_conv_config):
    model = LSeg(tiny_conv_config).eval()
    accelerate(model, "auto")
    half = model.trunk.autocast == torch.bfloat16
    assert half == computes_bf16(torch.device("cpu"))


@pytest.mark.slow
@torch.inference_mode()
def test_compiled_transformers_take_any_size_without_compiling_again(tiny_vit_config):
    model = LSeg(tiny_vit_config).eval()
    text = unit(5, 24)
    pictures = [torch.randn(1, 3, *size) for size in ((64, 96), (128, 160), (70, 200))]
    wanted = [model(picture, text) for picture in pictures]
    accelerate(model, "fp32", compiled=True)
    found = [model(pictures[0], text)]
    programs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert programs > 0
    found += [model(picture, text) for picture in pictures[1:]]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == programs
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
