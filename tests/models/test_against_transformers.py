"""Our trunk against Hugging Face's DPT, a peer implementation, with shared random weights."""

import math
import re

import pytest
import torch
import transformers

from lseg.config import TrunkConfig
from lseg.models.build import build_trunk
from lseg.models.upsample import double_size

DEPTH = 4

KEYS = [
    (r"backbone\.vit\.cls_token", "dpt.embeddings.cls_token"),
    (r"backbone\.vit\.pos_embed", "dpt.embeddings.position_embeddings"),
    (r"backbone\.vit\.patch_embed\.proj", "dpt.embeddings.patch_embeddings.projection"),
    (r"backbone\.vit\.blocks\.(\d)\.norm1", r"BLOCK.\1.layernorm_before"),
    (r"backbone\.vit\.blocks\.(\d)\.norm2", r"BLOCK.\1.layernorm_after"),
    (r"backbone\.vit\.blocks\.(\d)\.attn\.proj", r"BLOCK.\1.attention.output.dense"),
    (r"backbone\.vit\.blocks\.(\d)\.mlp\.fc1", r"BLOCK.\1.intermediate.dense"),
    (r"backbone\.vit\.blocks\.(\d)\.mlp\.fc2", r"BLOCK.\1.output.dense"),
    (r"reassemble\.(\d)\.read\.linear", r"neck.reassemble_stage.readout_projects.\1.0"),
    (r"reassemble\.(\d)\.project", r"neck.reassemble_stage.layers.\1.projection"),
    (r"reassemble\.(\d)\.resample", r"neck.reassemble_stage.layers.\1.resize"),
    (r"fusion\.level_convs\.(\d)", r"neck.convs.\1"),
    (r"fusion\.blocks\.(\d)\.project", r"FUSION.\1.projection"),
    (r"fusion\.blocks\.(\d)\.skip_unit\.conv", r"FUSION.\1.residual_layer1.convolution"),
    (r"fusion\.blocks\.(\d)\.skip_unit\.norm", r"FUSION.\1.residual_layer1.batch_norm"),
    (r"fusion\.blocks\.(\d)\.unit\.conv", r"FUSION.\1.residual_layer2.convolution"),
    (r"fusion\.blocks\.(\d)\.unit\.norm", r"FUSION.\1.residual_layer2.batch_norm"),
]


def peer_key(key, block_prefix):
    for ours, theirs in KEYS:
        if re.match(ours, key):
            key = re.sub(f"^{ours}", theirs, key)
            break
    else:
        raise AssertionError(f"no peer for {key}")
    key = key.replace("BLOCK.", block_prefix)
    return re.sub(
        r"^FUSION\.(\d)",
        lambda match: f"neck.fusion_stage.layers.{3 - int(match[1])}",  # theirs: coarsest first
        key,
    )


def peer_state(peer, ours):
    """The weights of `peer` under our names, and the names in `peer` that were used."""
    state = peer.state_dict()
    (block_prefix,) = {
        match[1] for key in state if (match := re.match(r"(dpt\..*?layers?\.)\d\.", key))
    }
    found, used = {}, set()
    for key in ours.state_dict():
        if ".attn.qkv." in key:
            index, leaf = re.match(r".*blocks\.(\d)\.attn\.qkv\.(\w+)", key).groups()
            parts = [
                f"{block_prefix}{index}.attention.attention.{part}.{leaf}"
                for part in ("query", "key", "value")
            ]
            found[key] = torch.cat([state[part] for part in parts])
        else:
            parts = [peer_key(key, block_prefix)]
            found[key] = state[parts[0]]
        used.update(parts)
    return found, set(state) - used


@torch.no_grad()
def randomise(module):
    for name, value in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.ndim == 1 and name.endswith("weight"):
            value.normal_(1, 0.2)
        elif value.ndim in (1, 3):
            value.normal_(0, 0.3)
        else:
            value.normal_(0, 1 / math.sqrt(value[0].numel()))


def peers(kind, readout, batch_norm, patch=16):
    factors = {16: (4, 2, 1, 0.5), 32: (8, 4, 2, 1)}[patch]
    config = transformers.DPTConfig(
        hidden_size=32,
        num_hidden_layers=DEPTH,
        num_attention_heads=2,
        intermediate_size=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        layer_norm_eps=1e-6,
        image_size=4 * patch,
        patch_size=patch,
        is_hybrid=False,
        backbone_out_indices=[0, 1, 2, 3],
        readout_type=readout,
        reassemble_factors=list(factors),
        neck_hidden_sizes=[8, 12, 16, 20],
        neck_ignore_stages=[],
        fusion_hidden_size=16,
        use_batch_norm_in_fusion_residual=batch_norm,
        use_auxiliary_head=False,
    )
    peer = kind(config).eval()
    randomise(peer)
    name = {16: "vit_tiny_patch16_224", 32: "vit_small_patch32_224"}[patch]
    options = {"depth": DEPTH, "embed_dim": 32, "num_heads": 2, "img_size": 4 * patch}
    ours = build_trunk(
        TrunkConfig(name, options, (0, 1, 2, 3), (8, 12, 16, 20), readout, 16, batch_norm)
    ).eval()
    state, unused = peer_state(peer, ours)
    ours.load_state_dict(state)
    # Theirs alone: the head, the final norm, and the unit that the coarsest block never runs.
    assert all(
        key.startswith(("head.", "dpt.layernorm.", "neck.fusion_stage.layers.0.residual_layer1."))
        for key in unused
    )
    return peer, ours


@torch.no_grad()
def fused(peer, pixels):
    """The last hidden state that the peer's neck gives to its head."""
    hidden = []
    handle = peer.neck.register_forward_hook(lambda _, __, output: hidden.append(output[-1]))
    peer(pixels)
    handle.remove()
    return hidden[0]


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("readout", ["project", "add", "ignore"])
def test_trunk_of_segmentation_equals_theirs(readout, size):
    peer, ours = peers(transformers.DPTForSemanticSegmentation, readout, batch_norm=True)
    pixels = torch.randn(2, 3, size, size)
    expected = fused(peer, pixels)
    with torch.no_grad():
        features = double_size(ours(pixels))
    assert expected.std() > 0.1
    assert features.shape == expected.shape == (2, 16, size // 2, size // 2)
    assert (features - expected).abs().max() < 1e-4


@pytest.mark.parametrize("patch", [16, 32])
def test_trunk_of_depth_equals_theirs(patch):
    peer, ours = peers(transformers.DPTForDepthEstimation, "project", batch_norm=False, patch=patch)
    pixels = torch.randn(2, 3, 6 * patch, 6 * patch)
    expected = fused(peer, pixels)
    with torch.no_grad():
        features = double_size(ours(pixels))
    assert expected.std() > 0.1
    assert (features - expected).abs().max() < 1e-4


def test_wide_pictures_equal_theirs_when_their_neck_is_told_the_grid():
    peer, ours = peers(transformers.DPTForSemanticSegmentation, "project", batch_norm=True)
    pixels = torch.randn(1, 3, 64, 128)
    with torch.no_grad():
        hidden = peer.dpt(pixels, output_hidden_states=True).hidden_states[1:]
        expected = peer.neck(list(hidden), 4, 8)[-1]
        assert (double_size(ours(pixels)) - expected).abs().max() < 1e-4


def test_batch_statistics_equal_theirs_in_training():
    peer, ours = peers(transformers.DPTForSemanticSegmentation, "project", batch_norm=True)
    peer.train()
    ours.train()
    pixels = torch.randn(2, 3, 64, 64)
    expected = fused(peer, pixels)
    with torch.no_grad():
        assert (double_size(ours(pixels)) - expected).abs().max() < 1e-4
    state, _ = peer_state(peer, ours)
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value, state[key], atol=1e-5, rtol=1e-4)
