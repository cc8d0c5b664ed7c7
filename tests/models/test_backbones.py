import dataclasses

import pytest
import timm
import torch
from torch.nn import functional as F

from lseg.config import TrunkConfig
from lseg.errors import ConfigError
from lseg.models.build import build_backbone, build_trunk
from lseg.models.levels import LevelInfo, level_scales, size_multiple
from lseg.models.std_conv import use_original_standardization
from lseg.models.tokens import resample_positions

OPTIONS = {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64}
WIDTHS = (8, 12, 16, 20)


def trunk_config(name, readout="project", levels=(0, 1, 2, 3), **options):
    return TrunkConfig(name, {**OPTIONS, **options}, levels, WIDTHS, readout, features=16)


def timm_levels(name, pixels, source, blocks=(0, 1, 2, 3), **options):
    """timm's own intermediates, with the weights that `source` kept."""
    vit = timm.create_model(name, **{**OPTIONS, **options}).eval()
    missing, unexpected = vit.load_state_dict(source.state_dict(), strict=False)
    assert not unexpected
    assert all(key.startswith(("norm.", "fc_norm.", "head.")) for key in missing)
    return vit, vit.forward_intermediates(
        pixels, indices=list(blocks), norm=False, return_prefix_tokens=True, intermediates_only=True
    )


@pytest.mark.parametrize(
    ("name", "patch", "multiple", "scales"),
    [
        ("vit_small_patch8_224", 8, 32, [2, 1, 0.5, 0.25]),
        ("vit_small_patch14_dinov2", 14, 28, [4, 2, 1, 0.5]),
        ("vit_tiny_patch16_224", 16, 32, [4, 2, 1, 0.5]),
        ("vit_small_patch32_224", 32, 32, [8, 4, 2, 1]),
    ],
)
def test_vit_levels_and_trunk_have_the_published_shapes(name, patch, multiple, scales):
    trunk = build_trunk(trunk_config(name, img_size=4 * patch)).eval()
    backbone = trunk.backbone
    assert backbone.levels == (LevelInfo(32, patch, tokens=True),) * 4
    assert level_scales(backbone.levels) == scales
    assert trunk.multiple == multiple
    height, width = 2 * multiple, 3 * multiple
    pixels = torch.randn(2, 3, height, width)
    with torch.no_grad():
        levels, features = backbone(pixels), trunk(pixels)
    for level in levels:
        assert level.map.shape == (2, 32, height // patch, width // patch)
        assert level.readout.shape == (2, 32)
    quarter = 4 if patch != 14 else 3.5
    assert features.shape == (2, 16, height / quarter, width / quarter)


def test_vit_levels_are_those_of_timm_before_the_final_norm():
    backbone = build_backbone(trunk_config("vit_tiny_patch16_224")).eval()
    torch.nn.init.normal_(backbone.vit.pos_embed)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        ours = backbone(pixels)
        vit, expected = timm_levels("vit_tiny_patch16_224", pixels, backbone.vit)
        for level, (features, prefix) in zip(ours, expected, strict=True):
            torch.testing.assert_close(level.map, features)
            torch.testing.assert_close(level.readout, prefix[:, 0])
        normed = vit.norm(expected[-1][1][:, 0])
        assert (ours[-1].readout - normed).abs().max() > 0.1


def test_levels_follow_the_block_indices_and_later_blocks_are_dropped():
    backbone = build_backbone(trunk_config("vit_tiny_patch16_224", levels=(0, 1, 2, 4), depth=6))
    assert len(backbone.vit.blocks) == 5
    pixels = torch.randn(1, 3, 64, 64)
    blocks = (0, 1, 2, 4)
    backbone.eval()
    with torch.no_grad():
        _, expected = timm_levels("vit_tiny_patch16_224", pixels, backbone.vit, blocks, depth=5)
        for level, (features, _) in zip(backbone(pixels), expected, strict=True):
            torch.testing.assert_close(level.map, features)


def test_register_tokens_are_neither_pixels_nor_the_readout():
    name = "vit_small_patch14_reg4_dinov2"
    backbone = build_backbone(trunk_config(name, img_size=56)).eval()
    torch.nn.init.normal_(backbone.vit.reg_token)
    assert backbone.has_readout
    pixels = torch.randn(2, 3, 56, 56)
    with torch.no_grad():
        _, expected = timm_levels(name, pixels, backbone.vit, img_size=56)
        for level, (features, prefix) in zip(backbone(pixels), expected, strict=True):
            assert prefix.shape[1] == 5
            torch.testing.assert_close(level.map, features)
            torch.testing.assert_close(level.readout, prefix[:, 0])
        assert backbone(torch.randn(1, 3, 84, 112))[0].map.shape == (1, 32, 6, 8)


def test_without_a_class_token_the_readout_must_be_ignored():
    name = "vit_base_patch16_siglip_224"
    trunk = build_trunk(trunk_config(name, "ignore")).eval()
    assert not trunk.backbone.has_readout
    levels = trunk.backbone(torch.randn(1, 3, 64, 96))
    assert all(level.readout is None for level in levels)
    assert trunk(torch.randn(1, 3, 64, 96)).shape == (1, 16, 16, 24)
    for readout in ("add", "project"):
        with pytest.raises(ConfigError, match="has no class token"):
            build_trunk(trunk_config(name, readout))


def test_a_transformer_has_its_readout_in_place_of_context():
    config = dataclasses.replace(
        trunk_config("vit_base_patch16_siglip_224", "ignore"), context=True
    )
    with pytest.raises(ConfigError, match="siglip_224 gives tokens: leave it out"):
        build_trunk(config)


def test_hybrid_takes_two_stem_stages_and_two_blocks():
    trunk = build_trunk(trunk_config("vit_base_r50_s16_384", levels=(0, 1, 2, 3))).eval()
    assert trunk.backbone.levels == (
        LevelInfo(256, 4, tokens=False),
        LevelInfo(512, 8, tokens=False),
        LevelInfo(32, 16, tokens=True),
        LevelInfo(32, 16, tokens=True),
    )
    assert level_scales(trunk.backbone.levels) == [1, 1, 1, 0.5]
    assert trunk.multiple == 32
    pixels = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        levels = trunk.backbone(pixels)
        assert [level.map.shape[1:] for level in levels] == [
            (256, 16, 24), (512, 8, 12), (32, 4, 6), (32, 4, 6),
        ]  # fmt: skip
        assert [level.readout is None for level in levels] == [True, True, False, False]
        assert trunk(pixels).shape == (2, 16, 16, 24)


def test_hybrid_levels_are_those_of_timm():
    name = "vit_base_r50_s16_384"
    vit = timm.create_model(name, **OPTIONS).eval()
    torch.nn.init.normal_(vit.pos_embed)
    use_original_standardization(vit.patch_embed.backbone)
    backbone = build_backbone(trunk_config(name)).eval()
    state = {
        key.replace("patch_embed.backbone.", "stem.") if "backbone" in key else f"vit.{key}": value
        for key, value in vit.state_dict().items()
        if not key.startswith(("norm.", "head."))
    }
    backbone.load_state_dict(state)
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        stem = vit.patch_embed.backbone.stem(pixels)
        first = vit.patch_embed.backbone.stages[0](stem)
        second = vit.patch_embed.backbone.stages[1](first)
        tokens = vit.forward_intermediates(
            pixels, indices=[2, 3], norm=False, return_prefix_tokens=True, intermediates_only=True
        )
        ours = backbone(pixels)
    torch.testing.assert_close(ours[0].map, first)
    torch.testing.assert_close(ours[1].map, second)
    for level, (features, prefix) in zip(ours[2:], tokens, strict=True):
        torch.testing.assert_close(level.map, features)
        torch.testing.assert_close(level.readout, prefix[:, 0])


@pytest.mark.parametrize(
    ("name", "options", "levels", "widths"),
    [
        ("resnet10t", {"channels": [8, 16, 24, 32]}, (1, 2, 3, 4), (8, 16, 24, 32)),
        ("convnext_atto", {"depths": [1] * 4, "dims": [8, 16, 24, 32]}, (0, 1, 2, 3),
         (8, 16, 24, 32)),
    ],
)  # fmt: skip
def test_convolutional_nets_come_through_features_only(name, options, levels, widths):
    config = TrunkConfig(name, options, levels, widths, "ignore", features=16)
    trunk = build_trunk(config).eval()
    assert [level.width for level in trunk.backbone.levels] == list(widths)
    assert [level.stride for level in trunk.backbone.levels] == [4, 8, 16, 32]
    assert not any(level.tokens for level in trunk.backbone.levels)
    assert trunk.multiple == 32
    net = timm.create_model(name, **options, features_only=True, out_indices=levels).eval()
    net.load_state_dict(trunk.backbone.net.state_dict())
    pixels = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        for level, expected in zip(trunk.backbone(pixels), net(pixels), strict=True):
            assert level.readout is None
            torch.testing.assert_close(level.map, expected)
        assert trunk(pixels).shape == (2, 16, 16, 24)


def test_readout_of_a_convolutional_net_does_not_matter():
    config = TrunkConfig("resnet10t", {}, (1, 2, 3, 4), WIDTHS, "project", features=16)
    assert build_trunk(config)


def test_positions_are_resampled_bilinearly_on_the_grid_alone():
    table = torch.randn(1, 5 + 3 * 4, 8)
    new = resample_positions(table, (3, 4), (6, 5), prefix=5)
    grid = table[0, 5:].reshape(3, 4, 8).permute(2, 0, 1)[None]
    expected = F.interpolate(grid, size=(6, 5), mode="bilinear", align_corners=False)
    assert new.shape == (1, 5 + 30, 8)
    assert torch.equal(new[:, :5], table[:, :5])
    torch.testing.assert_close(new[0, 5:].reshape(6, 5, 8).permute(2, 0, 1)[None], expected)
    bicubic = F.interpolate(grid, size=(6, 5), mode="bicubic", antialias=True)
    assert (bicubic - expected).abs().max() > 0.05


def test_positions_shrink_without_antialiasing():
    table = torch.randn(1, 64, 4)
    grid = table.reshape(1, 8, 8, 4).permute(0, 3, 1, 2)
    expected = F.interpolate(grid, size=(4, 4), mode="bilinear", align_corners=False)
    new = resample_positions(table, (8, 8), (4, 4), prefix=0)
    torch.testing.assert_close(new.reshape(1, 4, 4, 4).permute(0, 3, 1, 2), expected)


def test_positions_on_the_same_grid_are_the_table_itself():
    table = torch.randn(1, 1 + 12, 8)
    assert resample_positions(table, (3, 4), (3, 4), prefix=1) is table
    assert resample_positions(table, (3, 4), (4, 3), prefix=1) is not table


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2"])
def test_another_grid_gets_resampled_positions(name):
    patch = 14 if "14" in name else 16
    backbone = build_backbone(trunk_config(name, img_size=4 * patch)).eval()
    vit = backbone.vit
    torch.nn.init.normal_(vit.pos_embed)
    prefix = 0 if vit.no_embed_class else 1
    pixels = torch.randn(1, 3, 6 * patch, 5 * patch)
    with torch.no_grad():
        first = backbone(pixels)[0]
        vit.pos_embed.data = resample_positions(vit.pos_embed, (4, 4), (6, 5), prefix)
        vit.patch_embed.grid_size = (6, 5)
        torch.testing.assert_close(backbone(pixels)[0].map, first.map)
        vit.pos_embed.zero_()
        assert (backbone(pixels)[0].map - first.map).abs().max() > 0.1


def test_options_of_timm_that_resample_positions_themselves_are_no_trap():
    plain = build_backbone(trunk_config("vit_tiny_patch16_224")).eval()
    dynamic = build_backbone(trunk_config("vit_tiny_patch16_224", dynamic_img_size=True)).eval()
    dynamic.load_state_dict(plain.state_dict())
    pixels = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        torch.testing.assert_close(dynamic(pixels)[-1].map, plain(pixels)[-1].map)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([LevelInfo(8, 16, True)] * 4, 32),
        ([LevelInfo(8, 14, True)] * 4, 28),
        ([LevelInfo(8, 8, True)] * 4, 32),
        ([LevelInfo(8, stride, False) for stride in (4, 8, 16, 32)], 32),
        ([LevelInfo(8, stride, False) for stride in (2, 4, 8, 16)], 16),
    ],
)
def test_size_multiple(levels, expected):
    assert size_multiple(levels) == expected


def test_unknown_model_is_an_error_that_says_what_there_is():
    with pytest.raises(ConfigError, match=r"timm has no model 'resnet5000'.*timm\.list_models"):
        build_backbone(TrunkConfig("resnet5000"))


@pytest.mark.parametrize("levels", [(0, 1, 2, 4), (-1, 0, 1, 2)])
def test_block_indices_out_of_range(levels):
    with pytest.raises(ConfigError, match="do not fit a transformer of 4 blocks"):
        build_backbone(trunk_config("vit_tiny_patch16_224", levels=levels))


@pytest.mark.parametrize("levels", [(3, 2, 1, 0), (0, 1, 2, 2)])
def test_block_indices_that_do_not_rise(levels):
    with pytest.raises(ConfigError):
        build_backbone(trunk_config("vit_tiny_patch16_224", levels=levels))


@pytest.mark.parametrize("levels", [(0, 7, 2, 3), (0, 1, 2, 4)])
def test_hybrid_indices_out_of_range(levels):
    with pytest.raises(ConfigError):
        build_backbone(trunk_config("vit_base_r50_s16_384", levels=levels))


@pytest.mark.parametrize("levels", [(1, 2, 3, 9), (1, 2, 3)])
def test_out_indices_out_of_range_or_too_few(levels):
    with pytest.raises(ConfigError):
        build_trunk(TrunkConfig("resnet10t", {}, levels, WIDTHS, "ignore", features=16))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet10t"])
def test_unknown_option_of_timm(name):
    with pytest.raises(ConfigError, match="deph"):
        build_backbone(TrunkConfig(name, {"deph": 4}, (1, 2, 3, 4)))


def test_unknown_readout_is_named():
    with pytest.raises(ConfigError, match="projct"):
        build_trunk(trunk_config("vit_tiny_patch16_224", "projct"))


def test_net_that_is_no_pyramid_is_refused():
    with pytest.raises(ConfigError, match="mixer_s32_224 gives maps at strides"):
        build_trunk(TrunkConfig("mixer_s32_224", {}, (0, 1, 2, 3), WIDTHS, "ignore", features=16))
