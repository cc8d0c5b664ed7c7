import copy
import dataclasses
import json
import pickle

import plain
import pytest
import torch
from torch.testing import assert_close

from lseg.config import PRESETS, LSegConfig, Preprocessing
from lseg.errors import ConfigError, LabelError
from lseg.models.lseg import LSeg
from lseg.models.upsample import upsample


@pytest.fixture(params=["vit", "conv"])
def config(request, tiny_vit_config, tiny_conv_config):
    return {"vit": tiny_vit_config, "conv": tiny_conv_config}[request.param]


@pytest.fixture
def model(config):
    return LSeg(config).eval()


def unit(*shape):
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 64), (70, 97)])
@torch.no_grad()
def test_shapes_at_any_size(model, size):
    height, width = size
    pixels = torch.randn(2, 3, height, width)
    embeddings = model.encode_image(pixels)
    assert embeddings.shape == (2, 24, (height + 1) // 2, (width + 1) // 2)
    assert embeddings.dtype == torch.float32
    for text in (unit(5, 24), unit(2, 5, 24)):
        logits = model(pixels, text)
        assert logits.shape == (2, 5, height, width)
        assert logits.dtype == torch.float32
    assert logits.abs().max() <= 1 / 0.07 + 1e-4


@torch.no_grad()
def test_forward_is_cosine_of_the_embeddings_upsampled(model):
    pixels, text = torch.randn(1, 3, 64, 96), unit(5, 24)
    embeddings = model.encode_image(pixels)
    unit_pixels = torch.nn.functional.normalize(embeddings, dim=1)
    cosine = torch.einsum("bchw,nc->bnhw", unit_pixels, text)
    expected = upsample(cosine / 0.07, (64, 96))
    torch.testing.assert_close(model(pixels, text), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("block", ["none", "depthwise", "bottleneck"])
@pytest.mark.parametrize("size", [(64, 96), (33, 47)])
@torch.no_grad()
def test_logits_equal_the_published_formula(config, block, size):
    block_options = {"block": block, "block_depth": 2, "block_activation": "lrelu"}
    model = LSeg(dataclasses.replace(config, **block_options)).eval()
    pixels = torch.randn(2, 3, *size)
    for text in (unit(5, 24), unit(2, 3, 24)):
        difference = model(pixels, text) - plain.logits(model, pixels, text)
        assert difference.abs().max() < 1e-5


@torch.no_grad()
def test_embeddings_come_before_the_division_by_their_norm(model):
    norms = model.encode_image(torch.randn(1, 3, 64, 64)).norm(dim=1)
    assert norms.std() > 1e-3


@pytest.mark.parametrize("size", [(31, 64), (64, 31)])
@pytest.mark.parametrize("method", ["forward", "encode_image", "coarse_logits"])
def test_pictures_below_32_pixels_are_refused(model, size, method):
    arguments = (torch.randn(1, 3, *size),) + ((unit(2, 24),) if method != "encode_image" else ())
    with pytest.raises(ValueError, match="at least 32"):
        getattr(model, method)(*arguments)


@torch.no_grad()
def test_padding_is_internal(model):
    text, odd = unit(3, 24), torch.randn(1, 3, 70, 97)
    rows, columns = torch.arange(96).clamp_max(69), torch.arange(128).clamp_max(96)
    padded = odd[..., rows[:, None], columns]
    torch.testing.assert_close(model(odd, text), model(padded, text)[..., :70, :97])
    torch.testing.assert_close(model.encode_image(odd), model.encode_image(padded)[..., :35, :49])
    even = padded[..., :64, :96]
    torch.testing.assert_close(model.encode_image(even), model.embed(even).dense())


@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other(model):
    pixels, text = torch.randn(3, 3, 40, 64), unit(3, 2, 24)
    together = model(pixels, text)
    for index in range(3):
        alone = model(pixels[index : index + 1], text[index])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_same_input_gives_the_same_output_and_other_pixels_another(model):
    pixels, text = torch.randn(1, 3, 64, 64), unit(3, 24)
    first = model(pixels, text)
    assert_close(model(pixels, text), first, rtol=0, atol=1e-6)
    assert (model(torch.randn(1, 3, 64, 64), text) - first).abs().max() > 1e-3


@pytest.mark.parametrize("method", ["forward", "coarse_logits"])
@pytest.mark.parametrize("size", [(64, 64), (50, 70)])
def test_every_parameter_gets_a_finite_gradient(config, method, size):
    model = LSeg(config).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # timm starts residual branches at zero
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    logits = getattr(model, method)(torch.randn(2, 3, *size), unit(5, 24))
    logits.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad, name
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_gradient_reaches_the_spatial_block(tiny_conv_config):
    config = dataclasses.replace(tiny_conv_config, block="bottleneck", block_depth=2)
    model = LSeg(config)
    model(torch.randn(2, 3, 64, 64), unit(5, 24)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with pytest.raises(ConfigError, match="half resolution"):
        model.coarse_logits(torch.randn(2, 3, 64, 64), unit(5, 24))


@torch.no_grad()
def test_coarse_logits_are_the_logits_at_a_quarter(model):
    pixels, text = torch.randn(1, 3, 64, 96), unit(5, 24)
    coarse = model.coarse_logits(pixels, text)
    assert coarse.shape == (1, 5, 16, 24)
    quarter = model.project(model.trunk(pixels))
    expected = torch.einsum("bchw,nc->bnhw", torch.nn.functional.normalize(quarter, dim=1), text)
    torch.testing.assert_close(coarse, expected / 0.07, atol=1e-5, rtol=0)


def test_text_encoder_is_no_part_of_the_network(model):
    assert model.text._source is None  # nothing was built
    prefixes = {key.split(".")[0] for key in model.state_dict()}
    assert prefixes == {"trunk", "project"}
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == prefixes
    assert not any("text" in name for name, _ in model.named_modules())


def test_model_can_be_copied_and_pickled(model):
    pixels, text = torch.randn(1, 3, 64, 64), unit(3, 24)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_close(other(pixels, text), model(pixels, text), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 23), (2, 5, 25), (24,), (1, 2, 5, 24), (0, 24)])
def test_label_vectors_of_another_shape_are_refused(model, shape):
    with pytest.raises(LabelError, match=r"\(N, 24\)|no label"):
        model(torch.randn(2, 3, 64, 64), torch.zeros(shape))


def test_label_vectors_for_another_number_of_images_are_refused(model):
    with pytest.raises(LabelError):
        model(torch.randn(1, 3, 64, 64), unit(2, 5, 24))


def test_normalize_follows_the_preprocessing(tiny_conv_config):
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    model = LSeg(dataclasses.replace(tiny_conv_config, preprocessing=Preprocessing(mean, std)))
    images = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8)
    pixels = model.normalize(images)
    assert pixels.dtype == torch.float32
    for channel in range(3):
        expected = (images[:, channel].double() / 255 - mean[channel]) / std[channel]
        torch.testing.assert_close(pixels[:, channel].double(), expected, atol=1e-6, rtol=0)


def test_normalize_maps_black_and_white_to_minus_and_plus_one_by_default(tiny_vit_config):
    images = torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 1, 2)
    assert LSeg(tiny_vit_config).normalize(images)[0, :, 0].tolist() == [[-1, 1]] * 3


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    config = LSegConfig.preset(name)
    values = json.loads(json.dumps(config.to_dict()))
    assert LSegConfig.from_dict(values) == config
    assert isinstance(LSegConfig.from_dict(values).trunk.levels, tuple)


def test_every_field_survives_json(tiny_conv_config):
    config = dataclasses.replace(
        tiny_conv_config,
        text=dataclasses.replace(tiny_conv_config.text, table="a.safetensors", templates=("a {}",)),
        preprocessing=Preprocessing((0.1, 0.2, 0.3), (1.0, 1.0, 1.0), 96),
        logit_scale=2.5,
        block="bottleneck",
        block_depth=2,
        block_activation="tanh",
        labels=("sky", "other"),
        description="knows nothing",
    )
    assert LSegConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_published_presets_are_those_of_the_paper():
    large, base = LSegConfig.preset("vitl16"), LSegConfig.preset("vitb32")
    assert large == LSegConfig()
    assert large.trunk.levels == (5, 11, 17, 23)
    assert large.trunk.level_widths == (256, 512, 1024, 1024)
    assert base.trunk.levels == (2, 5, 8, 11)
    assert base.trunk.level_widths == (96, 192, 384, 768)
    assert large.trunk.readout == base.trunk.readout == "project"
    assert large.trunk.features == base.trunk.features == 256
    assert large.logit_scale == pytest.approx(14.285714)
    assert LSegConfig.preset("resnet101").preprocessing.mean == (0.485, 0.456, 0.406)


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"'vith14'.*vitl16"):
        LSegConfig.preset("vith14")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"embed_dims": 5}, r"LSegConfig has no field 'embed_dims': did you mean 'embed_dim'"),
        ({"trunk": {"feature": 5}}, r"LSegConfig\.trunk has no field 'feature'.*'features'"),
        ({"text": {"modle": "tiny"}}, r"LSegConfig\.text has no field 'modle'.*'model'"),
        ({"qqq": 5}, r"it has architecture, trunk, preprocessing"),
        ({"trunk": "vitl16"}, r"LSegConfig\.trunk must be a mapping, got str"),
    ],
)
def test_unknown_key_names_the_closest(values, message):
    with pytest.raises(ConfigError, match=message):
        LSegConfig.from_dict(values)


@pytest.mark.parametrize(
    "values",
    [
        {"block": "depthwize"},
        {"block_activation": "gelu"},
        {"trunk": {"readout": "projct"}},
        {"trunk": {"levels": [0, 1, 2]}},
    ],
)
def test_value_of_another_kind_is_refused(values):
    with pytest.raises(ConfigError):
        LSegConfig.from_dict(values)
