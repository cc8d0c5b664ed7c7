"""Folders saved by transformers, converted: the outputs are those of transformers."""

import json
import math

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from lseg.config import DepthConfig, Preprocessing, SegmentationConfig, TrunkConfig
from lseg.convert.huggingface.folder import convert_huggingface, is_huggingface
from lseg.errors import CheckpointError
from lseg.models.architectures import build_network
from lseg.store.tensors import load_weights

DEPTH, SEGMENTATION = (
    transformers.DPTForDepthEstimation,
    transformers.DPTForSemanticSegmentation,
)
LABELS = {0: "wall", 1: "sky", 2: "potted plant"}
STEM = {
    "global_padding": "same",
    "layer_type": "bottleneck",
    "depths": [3, 4, 9],
    "hidden_sizes": [256, 512, 1024],
    "out_features": ["stage1", "stage2", "stage3"],
    "embedding_dynamic_padding": True,
}
HYBRID = {
    "is_hybrid": True,
    "neck_hidden_sizes": [256, 512, 16, 20],
    "backbone_featmap_shape": [1, 1024, 4, 4],
    "backbone_out_indices": [0, 1, 1, 3],
}


def options(**changes):
    """A network shaped like DPT-Large, only smaller; the last of its five blocks is never used."""
    return {
        "hidden_size": 32,
        "num_hidden_layers": 5,
        "num_attention_heads": 2,
        "intermediate_size": 72,
        "layer_norm_eps": 1e-6,
        "image_size": 64,
        "backbone_out_indices": [0, 1, 2, 3],
        "neck_hidden_sizes": [8, 12, 16, 20],
        "fusion_hidden_size": 16,
        "id2label": LABELS,
        **changes,
    }


@torch.no_grad()
def saved(folder, kind, **changes):
    """A peer with random weights of a lively scale, saved by its own `save_pretrained`."""
    values = options(**changes)
    if values.get("is_hybrid"):
        values["backbone_config"] = transformers.BitConfig(**STEM)
    torch.manual_seed(0)
    peer = kind(transformers.DPTConfig(**values)).eval()
    for name, value in peer.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.ndim == 1 and name.endswith("weight"):
            value.normal_(1, 0.2)
        elif value.ndim in (1, 3):
            value.normal_(0, 0.3)
        elif value.ndim > 1:
            value.normal_(0, 1 / math.sqrt(value[0].numel()))
    if kind is DEPTH:
        peer.head.head[4].bias.fill_(3)  # away from the last ReLU's zeros
    peer.save_pretrained(folder)
    return peer


def converted(folder):
    conversion = convert_huggingface(folder)
    model = build_network(conversion.config)
    load_weights(model, conversion.weights, str(folder))
    return model.eval()


@torch.no_grad()
def difference(peer, model, size=64):
    pixels = torch.randn(2, 3, size, size)
    output = peer(pixels)
    expected = output.predicted_depth if "predicted_depth" in output else output.logits
    assert expected.std() > 0.1
    actual = model(pixels)
    assert actual.shape == expected.shape
    return (actual - expected).abs().max()


def rewrite(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize("readout", ["project", "add", "ignore"])
@pytest.mark.parametrize("kind", [DEPTH, SEGMENTATION])
def test_output_equals_theirs(tmp_path, kind, readout):
    batch_norm = kind is SEGMENTATION
    peer = saved(tmp_path, kind, readout_type=readout, use_batch_norm_in_fusion_residual=batch_norm)
    model = converted(tmp_path)
    assert difference(peer, model) < 1e-4
    assert difference(peer, model, 96) < 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {"patch_size": 32, "image_size": 128, "reassemble_factors": [8, 4, 2, 1]},
        {"qkv_bias": False, "intermediate_size": 67},
        {"use_batch_norm_in_fusion_residual": True},
        {"backbone_out_indices": [4, 0, 3, 1], "image_size": [64, 64]},
    ],
)
def test_output_equals_theirs_with_other_options(tmp_path, changes):
    peer = saved(tmp_path, DEPTH, **changes)
    assert difference(peer, converted(tmp_path), 128) < 1e-4


def original_standardization(conv, maps):
    """As timm 0.4.5 has it, under which the published weights were trained."""
    if conv.pad is not None:
        maps = conv.pad(maps)
    std, mean = torch.std_mean(conv.weight, dim=(1, 2, 3), keepdim=True, correction=0)
    weight = (conv.weight - mean) / (std + 1e-5)
    return torch.nn.functional.conv2d(maps, weight, conv.bias, conv.stride, conv.padding)


@pytest.mark.parametrize("kind", [DEPTH, SEGMENTATION])
def test_hybrid_output_equals_theirs(tmp_path, kind, monkeypatch):
    batch_norm = kind is SEGMENTATION
    peer = saved(tmp_path, kind, **HYBRID, use_batch_norm_in_fusion_residual=batch_norm)
    model = converted(tmp_path)
    # Theirs divides by sqrt(var + 1e-8), not by std + 1e-5; nothing else differs.
    assert difference(peer, model) < 5e-3
    module = transformers.models.bit.modeling_bit
    monkeypatch.setattr(module.WeightStandardizedConv2d, "forward", original_standardization)
    assert difference(peer, model) < 1e-4


def test_configuration(tmp_path):
    saved(tmp_path, SEGMENTATION, use_batch_norm_in_fusion_residual=True)
    conversion = convert_huggingface(tmp_path)
    sizes = {"img_size": 64, "embed_dim": 32, "depth": 5, "num_heads": 2, "mlp_ratio": 2.25}
    trunk = TrunkConfig(
        "vit_base_patch16_384", sizes, (0, 1, 2, 3), (8, 12, 16, 20), "project", 16, True
    )
    preprocessing = Preprocessing(size=384)
    assert conversion.config == SegmentationConfig(trunk, preprocessing, tuple(LABELS.values()))
    assert conversion.text is None
    reasons = {key.split(".")[0]: reason for key, reason in conversion.dropped.items()}
    assert reasons["auxiliary_head"] == "auxiliary head of the training"
    assert "dpt.layernorm.weight" in conversion.dropped
    assert "dpt.encoder.layer.4.attention.attention.key.bias" in conversion.dropped
    unit = "neck.fusion_stage.layers.0.residual_layer1.batch_norm2.running_var"
    assert "never runs" in conversion.dropped[unit]
    assert not any("neck.fusion_stage.layers.1." in key for key in conversion.dropped)


@pytest.mark.parametrize("shards", [True, False])
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_every_file_layout_is_read(tmp_path, suffix, shards):
    peer = saved(tmp_path / "whole", DEPTH)
    weights = load_file(tmp_path / "whole" / "model.safetensors")
    folder = tmp_path / "other"
    peer.config.save_pretrained(folder)
    rewrite(folder / "config.json", architectures=["DPTForDepthEstimation"])
    save, stem = (save_file, "model") if suffix == "safetensors" else (torch.save, "pytorch_model")
    if shards:
        places = {key: f"{stem}-0000{i % 2}.{suffix}" for i, key in enumerate(weights)}
        for place in set(places.values()):
            save({k: v for k, v in weights.items() if places[k] == place}, folder / place)
        index = folder / f"{stem}.{suffix}.index.json"
        index.write_text(json.dumps({"weight_map": places}))
    else:
        save(weights, folder / f"{stem}.{suffix}")
    assert difference(peer, converted(folder)) < 1e-4
    if shards:
        index.write_text(json.dumps({"weight_map": {**places, "dpt.more": place}}))
        with pytest.raises(CheckpointError, match=r"lacks the weight 'dpt.more'"):
            convert_huggingface(folder)
        index.write_text(json.dumps({"weight_map": {"dpt.more": f"../other/{place}"}}))
        with pytest.raises(CheckpointError, match="weight_map"):
            convert_huggingface(folder)


def test_weights_that_published_files_leave_out_may_be_missing(tmp_path):
    peer = saved(tmp_path, DEPTH)
    unused = ("dpt.layernorm.", "neck.fusion_stage.layers.0.residual_layer1.")

    def remove(weights):
        for key in [key for key in weights if key.startswith(unused)]:
            del weights[key]

    change_weights(tmp_path, remove)
    assert difference(peer, converted(tmp_path)) < 1e-4


def test_preprocessing_is_read(tmp_path):
    saved(tmp_path, DEPTH)
    transformers.DPTImageProcessor(image_mean=[0.1, 0.2, 0.3], size=96).save_pretrained(tmp_path)
    expected = Preprocessing((0.1, 0.2, 0.3), (0.5, 0.5, 0.5), 96)
    config = convert_huggingface(tmp_path).config
    assert config == DepthConfig(config.trunk, expected)


@pytest.mark.parametrize("architectures", [None, [], ["DPTModel"], "DPTModel"])
def test_a_network_without_a_head_is_refused(tmp_path, architectures):
    saved(tmp_path, DEPTH)
    rewrite(tmp_path / "config.json", architectures=architectures)
    with pytest.raises(CheckpointError, match="DPTForDepthEstimation and DPTForSemantic"):
        convert_huggingface(tmp_path)


def test_only_folders_of_transformers_are_recognised(tmp_path):
    assert not is_huggingface(tmp_path)
    (tmp_path / "config.json").write_text("no json")
    assert not is_huggingface(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "dpt-depth"}))
    assert not is_huggingface(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    assert is_huggingface(tmp_path)
    with pytest.raises(CheckpointError, match="type 'clip': only 'dpt', 'depth_anything'"):
        convert_huggingface(tmp_path)


def test_wrong_weights_are_named(tmp_path):
    saved(tmp_path, DEPTH)
    original = load_file(tmp_path / "model.safetensors")

    def refuse(weights, message):
        save_file(weights, tmp_path / "model.safetensors")
        with pytest.raises(CheckpointError, match=message) as caught:
            converted(tmp_path)
        assert "\n" not in str(caught.value)

    refuse({**original, "dpt.more": torch.ones(1)}, "unknown weight: 'dpt.more'")
    name = "dpt.encoder.layer.1.attention.attention.value.weight"
    refuse({key: v for key, v in original.items() if key != name}, f"lacks the weight '{name}'")
    refuse({**original, name: torch.ones(32, 31)}, name)
    refuse(
        {key: v for key, v in original.items() if key != "neck.convs.2.weight"},
        "lacks the weight 'trunk.fusion.level_convs.2.weight'",
    )


def test_missing_and_broken_files_are_named(tmp_path):
    peer = saved(tmp_path, DEPTH)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model.safetensors"):
        convert_huggingface(tmp_path)
    file.unlink()
    with pytest.raises(CheckpointError, match=r"neither model.safetensors nor pytorch_model.bin"):
        convert_huggingface(tmp_path)
    torch.save(peer.state_dict(), tmp_path / "pytorch_model.bin")
    content = (tmp_path / "pytorch_model.bin").read_bytes()
    (tmp_path / "pytorch_model.bin").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin"):
        convert_huggingface(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config.json cannot be read"):
        convert_huggingface(tmp_path)
