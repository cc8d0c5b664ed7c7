"""Key maps on the shapes of all seven of the authors' checkpoints."""

import dataclasses

import pytest
import torch
from official import DPT, FILE, LSEG, blank, fit, network, recognised, refusal

from lseg.config import DepthConfig, LSegConfig, Preprocessing, SegmentationConfig, TextConfig
from lseg.convert.official import default_labels, text_config, trunk_config


@pytest.mark.parametrize("name", [*LSEG, *DPT])
def test_every_key_is_kept_or_dropped_with_a_reason(name):
    weights = blank(name)
    keys = list(weights)
    conversion = recognised(weights)
    assert conversion.config == network(name)[0]
    assert all(reason for reason in conversion.dropped.values())
    assert list(weights) == [key for key in keys if key in conversion.dropped]
    kept = len(conversion.weights) + len(conversion.text or {})
    assert kept + len(conversion.dropped) == len(keys)
    fit(name, conversion)
    assert set(conversion.weights) == set(network(name)[1].state_dict())


@pytest.mark.parametrize(("name", "preset"), LSEG.items())
def test_the_configuration_of_lseg_is_that_of_the_preset(name, preset):
    wanted = LSegConfig.preset(preset)
    config = recognised(blank(name)).config
    text = TextConfig("ViT-B-32-quickgelu", "openai")  # the plain one is silently wrong
    assert config == dataclasses.replace(wanted, text=text)


@pytest.mark.parametrize(("name", "preset"), DPT.items())
def test_the_configuration_of_dpt(name, preset):
    config = recognised(blank(name)).config
    depth = name.endswith("midas")
    trunk = dataclasses.replace(LSegConfig.preset(preset).trunk, batch_norm=not depth)
    if depth:
        assert config == DepthConfig(trunk, Preprocessing(size=384))
    else:
        assert config == SegmentationConfig(trunk, Preprocessing(size=480), default_labels(150))


def test_the_clip_of_an_lseg_is_split_into_text_tower_and_rest():
    conversion = recognised(blank("lseg_clip_vitb32_384"))
    keys = {key.split(".")[0] for key in conversion.text}
    assert keys == {
        "positional_embedding", "text_projection", "transformer", "token_embedding", "ln_final",
    }  # fmt: skip
    clip = [key for key in conversion.dropped if key.startswith("clip_pretrained.")]
    assert all(key.split(".")[1] in ("visual", "logit_scale") for key in clip)


@pytest.mark.parametrize("name", ["lseg_clip_vitb32_384", "dpt_hybrid-midas"])
def test_another_size_of_the_position_table(name):
    weights = blank(name)
    width = weights["pretrained.model.pos_embed"].shape[-1]
    stride = 32 if "b32" in name else 16
    weights["pretrained.model.pos_embed"] = torch.empty(1, 1 + 15**2, width, device="meta")
    assert trunk_config(weights, FILE).backbone_options == {"img_size": 15 * stride}


@pytest.mark.parametrize(
    ("width", "resnet", "model"),
    [
        (512, False, "ViT-B-32-quickgelu"),
        (640, True, "RN50x4-quickgelu"),
        (768, True, "RN50x16-quickgelu"),
        (768, False, "ViT-L-14-quickgelu"),
    ],
)
def test_the_text_encoder_is_known_by_its_width(width, resnet, model):
    import open_clip

    weights = {"clip_pretrained.text_projection": torch.empty(512, width, device="meta")}
    if resnet:
        weights["clip_pretrained.visual.layer1.0.conv1.weight"] = torch.empty(1, device="meta")
    assert text_config(weights, FILE) == TextConfig(model, "openai")
    options = open_clip.get_model_config(model)
    assert options["embed_dim"] == width
    assert options["quick_gelu"]
    weights["clip_pretrained.text_projection"] = torch.empty(512, 333, device="meta")
    assert "333" in refusal(text_config, weights, FILE)


def test_the_classes_of_ade20k():
    labels = default_labels(150)
    assert len(set(labels)) == 150
    assert labels[:3] == ("wall", "building", "sky")
    assert default_labels(3) == ("class 0", "class 1", "class 2")
