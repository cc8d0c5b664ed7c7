"""Image encoders of transformers: against its own features, in a DPT trunk, stored and loaded."""

import json

import pytest
import torch
from networks import WIDTH
from transformers.models.auto import MODEL_FOR_BACKBONE_MAPPING
from transformers_models import BACKBONES, WHOLE, save_model

from lseg.checkpoints.backbone import pretrained_backbone
from lseg.config import DepthConfig, LSegConfig, TrunkConfig
from lseg.errors import ConfigError
from lseg.models.build import build_backbone, build_trunk
from lseg.models.dpt import DPTDepth
from lseg.models.lseg import LSeg
from lseg.models.transformers_config import with_architecture

LEVELS = (0, 1, 2, 3)
CLOSE = {"rtol": 0, "atol": 1e-4}


def trunk_config(name, readout="ignore", levels=LEVELS, **options):
    return with_architecture(
        TrunkConfig(f"hf:{name}", options, levels, (8, 12, 16, 20), readout, features=16)
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a tiny model of a type, and the model."""
    known = {}

    def save(kind):
        if kind not in known:
            folder = tmp_path_factory.mktemp(kind)
            known[kind] = folder, save_model(kind, folder)
        return known[kind]

    return save


def sizes(config):
    """One of the model's own, and one that is neither square nor a multiple of the patch."""
    patch = getattr(config, "patch_size", None) or 4
    return [(4 * max(patch, 14), 4 * max(patch, 14)), (3 * patch + 5 + 32, 5 * patch + 7 + 32)]


@pytest.mark.parametrize("kind", BACKBONES)
@torch.no_grad()
def test_features_are_those_of_transformers(kind, saved):
    folder, model = saved(kind)
    config = trunk_config(folder)
    backbone = pretrained_backbone(config, "hf").eval()
    kind = MODEL_FOR_BACKBONE_MAPPING[type(model.config)]
    own = kind.from_pretrained(folder, out_indices=[1, 2, 3, 4]).eval()
    for height, width in sizes(model.config):
        pixels = torch.randn(2, 3, height, width)
        for level, features in zip(backbone(pixels), own(pixels).feature_maps, strict=True):
            torch.testing.assert_close(level.map, features, **CLOSE)


@pytest.mark.parametrize("kind", ["dinov2", "dinov2_with_registers", "dinov3_vit", "beit"])
@torch.no_grad()
def test_the_readout_is_the_class_token(kind, saved):
    folder, model = saved(kind)
    backbone = pretrained_backbone(trunk_config(folder), "hf").eval()
    assert backbone.has_readout
    pixels = torch.randn(1, 3, 64, 96)
    last = model(pixels).last_hidden_state[:, 0]  # the last level of these is normed alike
    if kind == "beit":  # but this one
        last = model(pixels, output_hidden_states=True).hidden_states[-1][:, 0]
    torch.testing.assert_close(backbone(pixels)[-1].readout, last, **CLOSE)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@torch.no_grad()
def test_image_towers_give_their_hidden_states(kind, saved):
    folder, model = saved(kind)
    backbone = pretrained_backbone(trunk_config(folder), "hf").eval()
    assert backbone.has_readout == (kind == "clip")
    for height, width in [(64, 64), (52, 101)]:
        pixels = torch.randn(2, 3, height, width)
        found = model.vision_model(pixels, output_hidden_states=True, interpolate_pos_encoding=True)
        for level, states in zip(backbone(pixels), found.hidden_states[1:], strict=True):
            cells = states[:, backbone.prefix :].unflatten(1, (height // 16, width // 16))
            torch.testing.assert_close(level.map, cells.permute(0, 3, 1, 2), **CLOSE)


@pytest.mark.parametrize("kind", [*BACKBONES, *WHOLE])
@torch.no_grad()
def test_a_network_on_it_is_stored_whole_and_loaded_without_its_folder(kind, saved, tmp_path):
    folder, _ = saved(kind)
    trunk = TrunkConfig(f"hf:{folder}", {}, LEVELS, (8, 12, 16, 20), "ignore", features=16)
    model = LSeg(LSegConfig(trunk, embed_dim=WIDTH)).eval()
    model.save_pretrained(tmp_path / "model")
    stored = json.loads((tmp_path / "model" / "config.json").read_text())
    stored["trunk"]["backbone"] = "hf:somebody/who-is-gone"
    (tmp_path / "model" / "config.json").write_text(json.dumps(stored))
    loaded = LSeg.from_pretrained(tmp_path / "model")
    labels = torch.randn(3, WIDTH)
    for size in [(64, 64), (50, 75)]:
        pixels = torch.randn(1, 3, *size)
        logits = model(pixels, labels)
        assert logits.shape == (1, 3, *size)
        torch.testing.assert_close(loaded(pixels, labels), logits, rtol=1e-5, atol=1e-4)


def test_every_parameter_that_learns_gets_a_gradient(saved):
    folder, _ = saved("dinov2")
    backbone = build_backbone(trunk_config(folder))
    sum(
        level.map.sum() + level.readout.sum() for level in backbone(torch.randn(1, 3, 56, 56))
    ).backward()
    learning = {name for name, value in backbone.named_parameters() if value.requires_grad}
    assert learning == {
        name for name, value in backbone.named_parameters() if value.grad is not None
    }
    assert "net.embeddings.mask_token" not in learning


def test_the_class_token_is_read_by_a_projection(saved):
    trunk = build_trunk(trunk_config(saved("dinov2")[0], readout="project")).eval()
    with torch.no_grad():
        assert trunk(torch.randn(1, 3, 56, 84)).shape == (1, 16, 16, 24)


def test_depth_networks_take_it_as_well(saved):
    config = DepthConfig(trunk_config(saved("swinv2")[0]))
    with torch.no_grad():
        assert DPTDepth(config).eval()(torch.randn(1, 3, 50, 70)).shape == (1, 50, 70)


def test_options_take_the_place_of_the_folders_values(saved):
    config = trunk_config(saved("dinov2")[0], apply_layernorm=False, num_hidden_layers=5)
    assert config.backbone_options["num_hidden_layers"] == 5
    assert len(build_backbone(config).repeated) == 5
    assert not {"id2label", "transformers_version", "architectures"} & {*config.backbone_options}


@pytest.mark.parametrize(
    ("options", "levels", "part"),
    [
        ({"aply_layernorm": False}, LEVELS, "did you mean 'apply_layernorm'"),
        ({"num_hidden_layers": "four"}, LEVELS, "transformers cannot"),
        ({}, (0, 1, 2, 4), "from 0 to 3"),
        ({}, (0, 2, 1, 3), "from 0 to 3"),
        ({}, (-2, 0, 1, 2), "from 0 to 3"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(options, levels, part, saved):
    with pytest.raises(ConfigError) as caught:
        build_backbone(trunk_config(saved("dinov2")[0], levels=levels, **options))
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"model_type": "bert"}, "'bert', which transformers' AutoBackbone does not have"),
        ({"model_type": "dinov2_with_register"}, "near it: dinov2_with_registers"),
        ({}, "the type None"),
        ({"model_type": "hiera"}, "pictures of one size"),
        ({"model_type": "timm_backbone", "backbone": "resnet18"}, "AutoBackbone does not have"),
    ],
)
def test_models_of_other_kinds_are_told_in_one_line(values, part, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ConfigError) as caught:
        build_backbone(trunk_config(tmp_path))
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_of_a_configuration_names_code(saved):
    folder, _ = saved("dinov2")
    config = trunk_config(folder)
    foreign = {
        "auto_map": {"AutoBackbone": "evil--code.Net"},
        "_attn_implementation": "somebody/kernel",
        "attn_implementation": "somebody/kernel",
    }
    options = config.backbone_options | foreign
    backbone = build_backbone(TrunkConfig(config.backbone, options, LEVELS))
    assert type(backbone.net).__module__.startswith("transformers.models.dinov2.")
    assert backbone.net.config._attn_implementation == "sdpa"
