"""DPT on a BEiT and on a Swin V2 (MiDaS 3.1): the outputs are those of transformers."""

import json

import pytest
import torch
from dpt_family import dpt_beit, dpt_dinov2, dpt_swinv2, save_peer
from safetensors.torch import load_file, save_file

from lseg.checkpoints.load import load_model
from lseg.convert.checkpoint import convert
from lseg.convert.huggingface.beit import beit_encoder
from lseg.convert.huggingface.swinv2 import swinv2_encoder
from lseg.errors import CheckpointError
from lseg.models.upsample import upsample

LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "out_features": ["stage6", "stage12", "stage18", "stage24"],
}
STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}


@torch.no_grad()
def assert_equal(peer, model, sizes):
    """That a network gives what its peer gives, enlarged to the size of the picture."""
    torch.manual_seed(1)
    for size in sizes:
        pixels = torch.randn(2, 3, *size)
        theirs = upsample(peer(pixels).predicted_depth[:, None], size)[:, 0]
        assert theirs.std() > 0.1
        assert (model(pixels) - theirs).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ({}, {}),
        ({"out_indices": [-4, -3, -2, -1]}, {"readout_type": "ignore"}),
        ({"intermediate_size": 67}, {"readout_type": "add",
                                     "use_batch_norm_in_fusion_residual": True}),
    ],
    ids=["published", "negative", "add"],
)  # fmt: skip
def test_a_dpt_on_a_beit_equals_theirs(tmp_path, encoder, options):
    peer = dpt_beit(encoder, **options)
    model = load_model(save_peer(peer, tmp_path, 64))
    assert model.config.unit == "inverse depth"
    # The grid that the tables are for, an odd one, a wide one.
    assert_equal(peer, model, [(64, 64), (80, 112), (64, 128)])


@pytest.mark.parametrize(
    "encoder",
    [{}, {"pretrained_window_sizes": [2, 2, 2, 2]}, {"qkv_bias": False, "mlp_ratio": 2.5}],
    ids=["tiny", "larger windows than in pretraining", "no bias"],
)
def test_a_dpt_on_a_swinv2_equals_theirs(tmp_path, encoder):
    peer = dpt_swinv2(encoder)
    model = load_model(save_peer(peer, tmp_path, 64))
    assert model.config.unit == "inverse depth"
    # Multiples of all windows; elsewhere the two libraries pad before and after they shift.
    assert_equal(peer, model, [(64, 64), (128, 64), (64, 192)])


@pytest.mark.parametrize("peer", [dpt_beit, dpt_swinv2])
def test_a_converted_folder_gives_the_same(tmp_path, peer):
    peer = peer()
    told = convert(save_peer(peer, tmp_path / "theirs", 64), tmp_path / "ours")
    assert_equal(peer, load_model(tmp_path / "ours"), [(64, 64)])
    assert "neck.fusion_stage.layers.0.residual_layer1.convolution1.weight" in told.dropped


@pytest.mark.parametrize("peer", [dpt_beit, dpt_swinv2])
def test_what_older_files_have_besides_is_left_out(tmp_path, peer):
    peer = peer()
    file = save_peer(peer, tmp_path, 64) / "model.safetensors"
    weights = load_file(file)
    known = next(key for key in weights if key.endswith(("bias_table", "logit_scale")))
    before = known.rpartition(".")[0]
    more = {f"{before}.relative_position_index": torch.zeros(5, 5, dtype=torch.int64)}
    save_file({**weights, **more}, file)
    assert_equal(peer, load_model(tmp_path), [(64, 64)])


@pytest.mark.parametrize(
    ("options", "name", "changed"),
    [
        ({"image_size": 384, "out_features": ["stage3", "stage6", "stage9", "stage12"]},
         "beit_base_patch16_384", {}),
        ({**LARGE, "image_size": 384}, "beit_large_patch16_384", {}),
        ({**LARGE, "image_size": 512}, "beit_large_patch16_512", {}),
        ({**LARGE, "image_size": 640}, "beit_large_patch16_384", {"img_size": 640}),
    ],
)  # fmt: skip
def test_beits_of_published_sizes_get_plain_names(options, name, changed):
    found = beit_encoder(options, "here")
    assert (found.backbone, found.arguments) == (name, changed)
    depth = options.get("num_hidden_layers", 12)
    assert found.levels == (depth // 4 - 1, depth // 2 - 1, 3 * depth // 4 - 1, depth - 1)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"image_size": 256, "window_size": 16}, "swinv2_tiny_window16_256"),
        ({"image_size": 384, "window_size": 24, "embed_dim": 128, "depths": [2, 2, 18, 2],
          "num_heads": [4, 8, 16, 32], "pretrained_window_sizes": [12, 12, 12, 6]},
         "swinv2_base_window12to24_192to384"),
        ({"image_size": 384, "window_size": 24, "embed_dim": 192, "depths": [2, 2, 18, 2],
          "num_heads": [6, 12, 24, 48], "pretrained_window_sizes": [12, 12, 12, 6]},
         "swinv2_large_window12to24_192to384"),
    ],
)  # fmt: skip
def test_swinv2s_of_published_sizes_get_plain_names(options, name):
    found = swinv2_encoder({**options, **STAGES}, "here")
    assert (found.backbone, found.arguments) == (name, {})
    assert found.levels == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("peer", "changes", "named"),
    [
        (dpt_beit, {"use_absolute_position_embeddings": True}, "use_absolute_position_embeddings"),
        (dpt_beit, {"use_shared_relative_position_bias": True}, "use_shared_relative"),
        (dpt_beit, {"use_relative_position_bias": False}, "use_relative_position_bias is False"),
        (dpt_beit, {"layer_norm_eps": 1e-5}, "layer_norm_eps is 1e-05"),
        (dpt_beit, {"image_size": [64, 80]}, "image_size"),
        (dpt_beit, {"out_indices": [1, 2, 3, 6]}, "four of 1 to 5"),
        (dpt_swinv2, {"use_absolute_embeddings": True}, "use_absolute_embeddings is True"),
        (dpt_swinv2, {"depths": [1, 2, 2]}, "depths"),
        (dpt_swinv2, {"out_indices": [1, 2, 3]}, "out_indices"),
        (dpt_swinv2, {"window_size": "4"}, "window_size"),
        (dpt_dinov2, {"model_type": "swin"}, "model_type is swin"),
    ],
)
def test_an_encoder_that_networks_here_cannot_have_is_refused(tmp_path, peer, changes, named):
    folder = save_peer(peer(), tmp_path / "theirs", 64)
    file = folder / "config.json"
    values = json.loads(file.read_text())
    values["backbone_config"].update(changes)
    file.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=named) as caught:
        convert(folder, tmp_path / "ours")
    assert "backbone_config: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        (dpt_beit, "backbone.encoder.layer.1.attention.attention.value.weight"),
        (dpt_beit, "backbone.encoder.layer.2.attention.attention.query.bias"),
        (dpt_swinv2, "backbone.encoder.layers.1.blocks.1.attention.self.key.weight"),
        (dpt_swinv2, "backbone.encoder.layers.2.downsample.norm.bias"),
    ],
)
def test_broken_weights_are_named_as_the_folder_has_them(tmp_path, peer, name):
    folder = save_peer(peer(), tmp_path, 64)
    file = folder / "model.safetensors"
    weights = load_file(file)
    save_file({key: value for key, value in weights.items() if key != name}, file)
    with pytest.raises(CheckpointError, match=name):
        load_model(folder)
    save_file({**weights, name: torch.ones(3)}, file)
    with pytest.raises(CheckpointError, match=name):
        load_model(folder)
