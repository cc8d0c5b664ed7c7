import pytest

from lseg.config import TrunkConfig
from lseg.errors import ConfigError
from lseg.models.backbones import ViTBackbone
from lseg.models.build import build_backbone
from lseg.models.timm_names import timm_name

SMALL = {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("vit_tiny_patch16_224", "vit_tiny_patch16_224"),
        ("timm/vit_tiny_patch16_224.augreg_in21k", "vit_tiny_patch16_224.augreg_in21k"),
        ("hf-hub:timm/resnet18.a1_in1k", "resnet18.a1_in1k"),
        ("hf_hub:timm/resnet18.a1_in1k", "resnet18.a1_in1k"),
    ],
)
def test_names_of_the_hub_are_those_of_the_registry(name, own):
    assert timm_name(name) == own


def test_a_backbone_is_built_by_its_name_on_the_hub():
    config = TrunkConfig("timm/vit_tiny_patch16_224.augreg_in21k", SMALL, (0, 1, 2, 3))
    assert isinstance(build_backbone(config), ViTBackbone)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("resnet5000", ["no model 'resnet5000'", "resnet50"]),
        ("dinov2_vits14", ["no model 'dinov2_vits14'", "_dinov2"]),
        ("resnet18.a1_in1", ["no weights 'a1_in1' of resnet18", "a1_in1k"]),
        ("hf-hub:facebook/dinov2-small", ["'hf-hub:facebook/dinov2-small'", "backbone_weights"]),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(name, parts):
    with pytest.raises(ConfigError) as caught:
        build_backbone(TrunkConfig(name))
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize("name", ["mixer_s32_224", "cait_xxs24_224"])
def test_what_can_be_no_backbone_is_told_with_what_can(name):
    with pytest.raises(ConfigError) as caught:
        build_backbone(TrunkConfig(name, {}, (0, 1, 2, 3)))
    message = str(caught.value)
    assert message.startswith(f"{name} gives")
    assert "a backbone is a VisionTransformer of timm" in message
    assert "\n" not in message
    near = message.split("near it: ")[1].split(", ")
    assert near
    assert name.partition(".")[0] not in near


def test_a_network_without_features_is_told_in_one_line():
    with pytest.raises(ConfigError) as caught:
        build_backbone(TrunkConfig("gmlp_s16_224", {"nonsense": 1}, (0, 1, 2, 3)))
    assert "\n" not in str(caught.value)
