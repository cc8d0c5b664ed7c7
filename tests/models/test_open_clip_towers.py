"""Image towers that open_clip builds of timm's networks, by the names of its configurations.

Small ones of the same classes: what differs between them are options of these.
"""

import open_clip
import pytest
import torch
from encoders import open_clip_folder

import lseg
from lseg.config import EncoderConfig
from lseg.errors import ConfigError
from lseg.models.aligned.build import build_encoder
from lseg.models.timm_names import create_timm_model

SMALL = {"embed_dim": 64, "depth": 3, "num_heads": 2}
WORKING = {  # of each family one, and what of it must be made small
    "ViT-B-16-SigLIP": SMALL,
    "ViT-B-32-SigLIP2-256": SMALL,
    "ViT-SO400M-14-SigLIP2": SMALL,
    "ViT-gopt-16-SigLIP2-256": SMALL,
    "MobileCLIP2-L-14": SMALL,
    "ViTamin-S": {"depth": 3},
    "EVA01-g-14": SMALL,
    "EVA02-B-16": SMALL,
    "EVA02-L-14-336": SMALL,
    "EVA02-E-14": SMALL,
    "PE-Core-T-16-384": SMALL | {"attn_pool_num_heads": 2},
    "PE-Core-B-16": SMALL | {"attn_pool_num_heads": 2},
}
REFUSED = [
    "MobileCLIP2-S0", "MobileCLIP2-S2", "convnext_tiny",
    "swin_base_patch4_window7_224", "vit_relpos_medium_patch16_cls_224",
]  # fmt: skip


def tower(name):
    """timm's name of an image tower, and how its tokens are pooled."""
    vision = open_clip.get_model_config(name)["vision_cfg"]
    return vision["timm_model_name"], vision["timm_pool"]


@pytest.mark.parametrize("name", WORKING)
@torch.inference_mode()
def test_patches_are_those_of_timm(name):
    backbone, pool = tower(name)
    options = WORKING[name] | {"global_pool": pool}
    generator = torch.Generator().manual_seed(1)
    encoder = build_encoder(EncoderConfig(backbone, options, attention="full")).eval()
    for value in encoder.parameters():
        value.copy_(0.1 * torch.randn(value.shape, generator=generator) + (value.ndim == 1) * 0.5)
    again = {"dynamic_img_size": True, "num_classes": 0}
    own = create_timm_model(backbone, options | again).eval()
    own.load_state_dict(encoder.vit.state_dict())
    side, patch = own.patch_embed.img_size[0], encoder.patch
    prefix = own.num_prefix_tokens
    for height, width in ((side, side), (3 * patch, 5 * patch)):
        if (height, width) != (side, side) and own.pos_embed is not None:
            continue  # their own way of bringing learnt positions to another grid
        pixels = torch.randn(1, 3, height, width, generator=generator)
        tokens = own.forward_features(pixels)[:, prefix:]
        if own.attn_pool is not None:
            picked = tokens[:, :5]
            tokens = torch.stack([own.attn_pool(one[:, None]) for one in picked.unbind(1)], dim=1)
        found = encoder.look(pixels).features.flatten(2).transpose(1, 2)[:, : tokens.shape[1]]
        wanted = own.fc_norm(tokens)
        assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()
    pixels = torch.randn(1, 3, 3 * patch, 5 * patch, generator=generator)
    answers = {"full": encoder.look(pixels).features}
    ways = ["value"] if name == "EVA02-E-14" else ["value", "neighbour"]
    for encoder.attention in ways:
        answers[encoder.attention] = found = encoder.look(pixels).features
        assert found.shape == (1, encoder.width, 3, 5)
        assert not found.allclose(answers["full"], atol=1e-3)


@torch.inference_mode()
def test_a_token_among_masked_ones_takes_its_own_value():
    """EVA's blocks are asked by a mask; the values are those of its formula."""
    options = SMALL | {"global_pool": "token"}
    encoder = build_encoder(EncoderConfig("eva02_base_patch16_clip_224", options)).eval()
    block, tokens = encoder.last, torch.randn(1, 13, 64)
    attention = block.attn
    normed = block.norm1(tokens[:, 1:])
    mixed = tokens[:, 1:] + attention.proj(attention.norm(attention.v_proj(normed)))
    wanted = mixed + block.mlp(block.norm2(mixed))
    assert (encoder.last_block(block, tokens, (3, 4)) - wanted).abs().max() < 1e-5


@pytest.mark.parametrize("name", REFUSED)
def test_towers_without_patches_are_refused_in_a_line(name):
    with torch.device("meta"), pytest.raises(ConfigError, match="no plain vision transf") as error:
        build_encoder(EncoderConfig(tower(name)[0]))
    assert "\n" not in str(error.value)


def test_neighbours_are_not_defined_behind_a_norm():
    options = SMALL | {"global_pool": "token"}
    config = EncoderConfig("eva02_enormous_patch14_clip_224", options, attention="neighbour")
    with pytest.raises(ConfigError, match="give value or full"):
        build_encoder(config).look(torch.randn(1, 3, 42, 42))


@torch.inference_mode()
def test_a_whole_folder_with_a_rotary_tower_is_read(tmp_path):
    vision = open_clip.get_model_config("PE-Core-T-16-384")["vision_cfg"]
    net = open_clip_folder(tmp_path / "pe", vision, embed_dim=24, custom_text=True)
    model = lseg.load_model(tmp_path / "pe")
    model.set_attention("full")
    pixels, trunk = torch.randn(1, 3, 384, 384), net.visual.trunk
    tokens = trunk.forward_features(pixels)[:, trunk.num_prefix_tokens :]
    alone = [trunk.forward_head(one[:, None]) for one in tokens[:, :5].unbind(1)]
    found = model.encode_image(pixels).flatten(2).transpose(1, 2)[:, :5]
    assert (found - torch.stack(alone, dim=1)).abs().max() < 1e-4
    assert model.encode_labels(["cat", "dog"]).shape == (2, 24)
