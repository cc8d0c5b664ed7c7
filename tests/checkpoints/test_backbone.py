import pytest
import timm
import torch
from safetensors.torch import save_file

from lseg.checkpoints.backbone import pretrained_backbone
from lseg.config import TrunkConfig
from lseg.errors import CheckpointError

CONV = TrunkConfig(
    "resnet10t", {"channels": [8, 8, 16, 16]}, (1, 2, 3, 4), (8, 8, 16, 16), "ignore", 8
)
VIT = TrunkConfig(
    "vit_tiny_patch16_224",
    {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64},
    (0, 1, 2, 3),
    (8, 8, 16, 16),
    features=8,
)


def net_of(config, **more):
    return timm.create_model(config.backbone, **{**config.backbone_options, **more})


def refusal(config, path, *parts):
    with pytest.raises(CheckpointError) as caught:
        pretrained_backbone(config, str(path))
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message


def check_equal(backbone, weights):
    loaded = {
        name.removeprefix("net.").removeprefix("vit."): tensor
        for name, tensor in backbone.state_dict().items()
    }
    assert len(loaded) > 20
    for name, tensor in loaded.items():
        assert torch.equal(tensor, weights[name]), name


@pytest.mark.parametrize("classes", [1000, 7, 0])
@pytest.mark.parametrize("config", [CONV, VIT], ids=["conv", "vit"])
def test_weights_of_a_file_are_loaded_whatever_its_head(config, classes, tmp_path):
    weights = net_of(config, num_classes=classes).state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    check_equal(pretrained_backbone(config, str(tmp_path / "weights.pth")), weights)


def test_safetensors_are_read_too(tmp_path):
    weights = net_of(CONV).state_dict()
    save_file(weights, tmp_path / "weights.safetensors")
    check_equal(pretrained_backbone(CONV, str(tmp_path / "weights.safetensors")), weights)


def test_positions_of_another_size_are_resampled(tmp_path):
    weights = net_of(VIT, img_size=96).state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    backbone = pretrained_backbone(VIT, str(tmp_path / "weights.pth"))
    assert backbone.vit.pos_embed.shape == (1, 1 + 4 * 4, 32)
    assert torch.equal(backbone.vit.pos_embed[:, 0], weights["pos_embed"][:, 0])


def test_relative_paths_are_looked_up_under_lseg_data(tmp_path, monkeypatch):
    weights = net_of(CONV).state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    monkeypatch.setenv("LSEG_DATA", str(tmp_path))
    check_equal(pretrained_backbone(CONV, "weights.pth"), weights)


@pytest.mark.parametrize("config", [CONV, VIT], ids=["conv", "vit"])
def test_the_first_missing_weight_is_named(config, tmp_path):
    weights = net_of(config).state_dict()
    first = next(name for name in weights if name.startswith(("layer2.", "blocks.2.")))
    weights = {name: value for name, value in weights.items() if first[:8] not in name}
    torch.save(weights, tmp_path / "weights.pth")
    refusal(config, tmp_path / "weights.pth", tmp_path / "weights.pth", repr(first))


def test_a_weight_of_another_shape_is_named_with_both_shapes(tmp_path):
    weights = net_of(CONV, channels=[8, 8, 16, 24]).state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    refusal(CONV, tmp_path / "weights.pth", "'layer4.", "(24, ", "(16, ")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(net_of(VIT).state_dict(), tmp_path / "weights.pth")
    refusal(CONV, tmp_path / "weights.pth", "resnet10t", "'conv1.0.weight'")


@pytest.mark.parametrize("values", [[1, 2], {"conv1.0.weight": 3}, "text"])
def test_a_file_of_something_else_is_refused(values, tmp_path):
    torch.save(values, tmp_path / "weights.pth")
    refusal(CONV, tmp_path / "weights.pth", tmp_path / "weights.pth")


def test_a_missing_file_is_named(tmp_path):
    refusal(CONV, tmp_path / "none.pth", tmp_path / "none.pth")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(net_of(CONV).state_dict(), path)
    path.write_bytes(path.read_bytes()[:5000])
    refusal(CONV, path, path)


@pytest.mark.parametrize("config", [CONV, VIT], ids=["conv", "vit"])
@pytest.mark.parametrize("prefix", ["module.", "backbone.", "net.trunk.backbone.body.", "model."])
def test_a_prefix_of_all_names_is_taken_off(config, prefix, tmp_path):
    weights = net_of(config, num_classes=3).state_dict()
    named = {f"{prefix}{name}": value for name, value in weights.items()}
    named["decode_head.weight"] = torch.zeros(1)
    torch.save({"state_dict": named, "epoch": 3}, tmp_path / "weights.pth")
    check_equal(pretrained_backbone(config, str(tmp_path / "weights.pth")), weights)


def test_the_average_of_the_weights_is_taken_where_there_is_one(tmp_path):
    plain, average = net_of(CONV).state_dict(), net_of(CONV).state_dict()
    torch.save({"model": plain, "model_ema": average}, tmp_path / "weights.pth")
    check_equal(pretrained_backbone(CONV, str(tmp_path / "weights.pth")), average)


def test_counters_of_batch_norm_may_be_missing(tmp_path):
    weights = net_of(CONV).state_dict()
    counters = [name for name in weights if name.endswith("num_batches_tracked")]
    assert counters
    few = {name: value for name, value in weights.items() if name not in counters}
    torch.save(few, tmp_path / "weights.pth")
    check_equal(pretrained_backbone(CONV, str(tmp_path / "weights.pth")), weights)
    del few["bn1.running_mean"]  # is a weight
    torch.save(few, tmp_path / "weights.pth")
    refusal(CONV, tmp_path / "weights.pth", "lacks 'bn1.running_mean'")


def test_weights_of_two_networks_are_refused(tmp_path):
    weights = net_of(CONV).state_dict()
    both = {f"{who}.{name}": weights[name] for who in ("student", "teacher") for name in weights}
    torch.save(both, tmp_path / "weights.pth")
    refusal(CONV, tmp_path / "weights.pth", "'student.' and 'teacher.'", "give a file of one")


def test_a_wrong_key_is_named_as_the_file_has_it(tmp_path):
    weights = {f"backbone.{name}": value for name, value in net_of(CONV).state_dict().items()}
    del weights["backbone.layer2.0.bn1.weight"]
    torch.save(weights, tmp_path / "weights.pth")
    refusal(CONV, tmp_path / "weights.pth", "lacks 'backbone.layer2.0.bn1.weight'")


def test_weights_of_a_deeper_network_are_refused(tmp_path):
    options = {**VIT.backbone_options, "depth": 6}
    deep = TrunkConfig("vit_tiny_patch16_224", options, VIT.levels)
    torch.save(net_of(deep).state_dict(), tmp_path / "weights.pth")
    refusal(VIT, tmp_path / "weights.pth", "more blocks", "'blocks.4.")


def test_a_layout_that_timm_can_read_is_read(tmp_path):
    """DINOv2's own files have a mask token, and call register tokens otherwise."""
    options = {**VIT.backbone_options, "img_size": 56}
    config = TrunkConfig("vit_small_patch14_reg4_dinov2", options, VIT.levels)
    weights = net_of(config).state_dict()
    theirs = dict(weights) | {"mask_token": torch.zeros(1, 32)}
    theirs["register_tokens"] = theirs.pop("reg_token")
    half = weights["cls_token"] / 2  # theirs has a position of its own
    theirs["cls_token"] = half
    theirs["pos_embed"] = torch.cat([half, weights["pos_embed"]], dim=1)
    torch.save(theirs, tmp_path / "weights.pth")
    check_equal(pretrained_backbone(config, str(tmp_path / "weights.pth")), weights)


def test_timms_weights_that_cannot_be_had_are_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    config = TrunkConfig("resnet18.fb_swsl_ig1b_ft_in1k", {}, (1, 2, 3, 4))
    with pytest.raises(CheckpointError) as caught:  # tests run offline
        pretrained_backbone(config, "timm")
    message = str(caught.value)
    assert "resnet18" in message
    assert "give backbone_weights a file" in message
    assert "\n" not in message
