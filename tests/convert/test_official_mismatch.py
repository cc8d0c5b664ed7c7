"""Checkpoints of the authors with a weight that is missing, renamed or of another shape."""

import pytest
import torch
from official import FILE, blank, fit, recognised, refusal

from lseg.convert.official import trunk_config

CASES = [
    ("lseg_clip_vitb32_384", "pretrained.model.blocks.3.mlp.fc1.bias"),
    ("lseg_clip_vitb32_384", "pretrained.model.cls_token"),
    ("lseg_clip_vitb32_384", "pretrained.model.pos_embed"),
    ("lseg_clip_vitb32_384", "pretrained.act_postprocess1.4.weight"),
    ("lseg_clip_vitb32_384", "scratch.layer1_rn.weight"),
    ("lseg_clip_vitb32_384", "scratch.layer3_rn.weight"),
    ("lseg_clip_vitb32_384", "scratch.refinenet2.resConfUnit1.bn2.running_var"),
    ("lseg_clip_vitb32_384", "scratch.refinenet1.out_conv.bias"),
    ("lseg_clip_vitb32_384", "scratch.head1.bias"),
    ("lseg_clip_resnet101", "pretrained.layer1.1.running_mean"),
    ("lseg_clip_resnet101", "pretrained.layer3.22.bn3.weight"),
    ("lseg_clip_resnet101", "pretrained.layer2.0.downsample.0.weight"),
    ("dpt_hybrid-ade20k", "pretrained.model.patch_embed.backbone.stages.1.blocks.0.norm1.bias"),
    ("dpt_hybrid-ade20k", "scratch.output_conv.1.running_var"),
    ("dpt_large-ade20k", "scratch.output_conv.4.weight"),
    ("dpt_large-ade20k", "scratch.output_conv.4.bias"),
    ("dpt_large-midas", "pretrained.act_postprocess2.0.project.0.weight"),
    ("dpt_large-midas", "scratch.output_conv.2.bias"),
    ("dpt_large-midas", "scratch.output_conv.4.weight"),
]


def loaded(name, weights):
    fit(name, recognised(weights))


@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_missing_weight_is_named(name, key):
    weights = blank(name)
    del weights[key]
    assert repr(f"net.{key}") in refusal(loaded, name, weights)


@pytest.mark.parametrize(("name", "key"), CASES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2, 2, 2)], ids=str)
def test_a_weight_of_another_shape_is_named(name, key, shape):
    weights = blank(name)
    weights[key] = torch.empty(shape, device="meta")
    assert repr(f"net.{key}") in refusal(loaded, name, weights)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lseg_clip_vitb32_384", "scratch.head1.bias", "scratch.head2.bias"),
        ("lseg_clip_vitb32_384", "scratch.layer1_rn.weight", "scratch.layer5_rn.weight"),
        ("lseg_clip_vitb32_384", "pretrained.act_postprocess1.3.bias", "pretrained.act.bias"),
        ("lseg_clip_resnet101", "pretrained.layer4.0.bn1.bias", "pretrained.layer5.0.bn1.bias"),
        ("dpt_large-midas", "scratch.output_conv.4.bias", "scratch.output_conv.6.bias"),
        ("dpt_hybrid-ade20k", "scratch.output_conv.4.bias", "scratch.output_conv.4"),
    ],
)
def test_a_renamed_weight_is_named(name, old, new):
    weights = blank(name)
    weights[new] = weights.pop(old)
    message = refusal(loaded, name, weights)
    assert repr(f"net.{old}") in message or repr(f"net.{new}") in message


def test_an_unknown_transformer_is_refused_with_the_known_ones():
    weights = blank("lseg_clip_vitb32_384")
    weights["pretrained.model.patch_embed.proj.weight"] = torch.empty(384, 3, 16, 16, device="meta")
    assert "384" in refusal(trunk_config, weights, FILE)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_position_table_without_positions_is_refused(rows):
    weights = blank("lseg_clip_vitb32_384")
    weights["pretrained.model.pos_embed"] = torch.empty(1, rows, 768, device="meta")
    assert "pos_embed" in refusal(loaded, "lseg_clip_vitb32_384", weights)
