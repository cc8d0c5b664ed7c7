"""timm's newer families as image encoders: against timm's own features, at any size."""

import pytest
import timm
import torch
from networks import WIDTH

from lseg.config import LSegConfig, TrunkConfig
from lseg.models.backbones import PyramidBackbone
from lseg.models.beit import BeitBackbone, distance_index
from lseg.models.build import build_backbone, build_trunk
from lseg.models.levels import LevelInfo
from lseg.models.lseg import LSeg
from lseg.models.rotary import EvaBackbone

SMALL = {"depth": 4, "embed_dim": 32, "num_heads": 2}
WINDOWS = {"depths": (1, 1, 2, 1), "embed_dim": 8, "num_heads": (1, 1, 2, 2), "window_size": 4}
BLOCKS = (0, 1, 2, 3)
ROTARY = {
    "eva02_tiny_patch14_224": SMALL | {"img_size": 56},  # learnt and rotary positions
    "timm/vit_small_patch16_dinov3.lvd1689m": SMALL,  # registers, no learnt positions
    "vit_pe_core_tiny_patch16_384": SMALL | {"img_size": 64},
    "vit_pe_spatial_tiny_patch16_512": SMALL | {"img_size": 64},
}
BEIT = {
    "beit_base_patch16_224": SMALL | {"img_size": 64},
    "timm/beitv2_base_patch16_224.in1k_ft_in22k_in1k": SMALL | {"img_size": 64},
}
SHARED_TABLE = {"use_shared_rel_pos_bias": True, "use_rel_pos_bias": False, "use_abs_pos_emb": True}
PYRAMIDS = {
    "swin_tiny_patch4_window7_224": WINDOWS | {"img_size": 64},
    "swinv2_tiny_window8_256": WINDOWS | {"img_size": 64},
    "convnext_atto": {"dims": (8, 16, 24, 32), "depths": (1, 1, 1, 1)},
    "mambaout_femto": {"dims": (8, 16, 24, 32), "depths": (1, 1, 1, 1)},  # maps (B, H, W, C)
}
ALL = ROTARY | BEIT | PYRAMIDS
SIZES = [(64, 64), (96, 160)]


def trunk_config(name, options, readout="ignore"):
    return TrunkConfig(name, options, BLOCKS, (8, 12, 16, 20), readout, features=16)


def build(name, options):
    """The backbone, no parameter of which is zero: biases of positions begin as such."""
    torch.manual_seed(0)
    backbone = build_backbone(trunk_config(name, options)).eval().requires_grad_(False)
    for parameter in backbone.parameters():
        parameter.copy_(parameter + 0.1 * torch.randn_like(parameter))
    return backbone


def own_name(name):
    return name.removeprefix("timm/")


@pytest.mark.parametrize("name", ROTARY)
@pytest.mark.parametrize("cells", [(4, 4), (3, 5)])
def test_rotary_transformers_give_timms_own_features(name, cells):
    backbone = build(name, ROTARY[name])
    assert isinstance(backbone, EvaBackbone)
    vit = timm.create_model(own_name(name), **ROTARY[name], dynamic_img_size=True).eval()
    assert not vit.load_state_dict(backbone.vit.state_dict(), strict=False).unexpected_keys
    patch = vit.patch_embed.patch_size[0]
    assert backbone.levels == (LevelInfo(32, patch, tokens=True),) * 4
    assert backbone.has_readout == (vit.cls_token is not None)
    pixels = torch.randn(2, 3, patch * cells[0], patch * cells[1])
    maps = vit.forward_intermediates(pixels, indices=list(BLOCKS), intermediates_only=True)
    for level, features in zip(backbone(pixels), maps, strict=True):
        torch.testing.assert_close(level.map, features)
        assert (level.readout is not None) == backbone.has_readout


def own_beit(name, options, backbone):
    """timm's own network with the weights of a backbone."""
    vit = timm.create_model(own_name(name), **options).eval().requires_grad_(False)
    vit.load_state_dict(backbone.vit.state_dict(), strict=False)
    places = [vit.rel_pos_bias] if vit.rel_pos_bias else [block.attn for block in vit.blocks]
    for place, table in zip(places, backbone.tables, strict=True):
        place.relative_position_bias_table.copy_(table)
    return vit


@pytest.mark.parametrize("extra", [{}, SHARED_TABLE], ids=["tables", "shared"])
@pytest.mark.parametrize("name", BEIT)
def test_beit_gives_timms_own_features_on_its_own_grid(name, extra):
    options = BEIT[name] | extra
    backbone = build(name, options)
    assert isinstance(backbone, BeitBackbone)
    vit = own_beit(name, options, backbone)
    pixels = torch.randn(2, 3, 64, 64)
    outputs = vit.forward_intermediates(
        pixels, indices=list(BLOCKS), return_prefix_tokens=True, intermediates_only=True
    )
    for level, (features, prefix) in zip(backbone(pixels), outputs, strict=True):
        torch.testing.assert_close(level.map, features)
        torch.testing.assert_close(level.readout, prefix[:, 0])


def test_beit_pairs_tokens_of_any_grid_as_timm_does():
    for grid in [(4, 4), (3, 5), (1, 2)]:
        expected = timm.models.beit.gen_relative_position_index(grid)
        assert torch.equal(distance_index(grid, torch.device("cpu")), expected)


@pytest.mark.parametrize("name", PYRAMIDS)
@pytest.mark.parametrize("size", SIZES)
def test_pyramids_give_timms_own_maps_channels_first(name, size):
    backbone = build(name, PYRAMIDS[name])
    assert isinstance(backbone, PyramidBackbone)
    assert [level.stride for level in backbone.levels] == [4, 8, 16, 32]
    pixels = torch.randn(2, 3, *size)
    free = {"strict_img_size": False} if name.startswith("swin") else {}
    net = timm.create_model(name, features_only=True, **PYRAMIDS[name], **free).eval()
    net.load_state_dict(backbone.net.state_dict())
    for level, info, features in zip(backbone(pixels), backbone.levels, net(pixels), strict=True):
        first = features if features.shape[1] == info.width else features.permute(0, 3, 1, 2)
        torch.testing.assert_close(level.map, first)
        assert level.map.shape[1:] == (info.width, size[0] // info.stride, size[1] // info.stride)


@pytest.mark.parametrize("name", ALL)
def test_a_network_on_it_is_saved_and_loaded_and_takes_any_size(name, tmp_path):
    torch.manual_seed(0)
    model = LSeg(LSegConfig(trunk_config(name, ALL[name]), embed_dim=WIDTH)).eval()
    model.save_pretrained(tmp_path)
    loaded = LSeg.from_pretrained(tmp_path)
    labels = torch.randn(3, WIDTH)
    for size in [(64, 64), (50, 75)]:
        pixels = torch.randn(1, 3, *size)
        with torch.no_grad():
            logits = model(pixels, labels)
            assert logits.shape == (1, 3, *size)
            torch.testing.assert_close(loaded(pixels, labels), logits, rtol=1e-5, atol=1e-4)


def test_the_class_token_is_read_where_there_is_one():
    name = "timm/vit_small_patch16_dinov3.lvd1689m"
    trunk = build_trunk(trunk_config(name, ROTARY[name], readout="project")).eval()
    with torch.no_grad():
        assert trunk(torch.randn(1, 3, 64, 96)).shape == (1, 16, 16, 24)
