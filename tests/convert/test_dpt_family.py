"""Depth Anything, DPT on DINOv2 and TIPSv2-DPT: the outputs are those of transformers."""

import json

import pytest
import torch
from dpt_family import LABELS, PATCH, depth_anything, dpt_dinov2, save_peer, tipsv2_dpt
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from lseg.checkpoints.load import load_model
from lseg.config import IMAGENET_MEAN, IMAGENET_STD, DepthConfig, Preprocessing
from lseg.convert.checkpoint import ConvertOptions, convert
from lseg.errors import CheckpointError
from lseg.models.upsample import upsample

# The grid that the positions are for; an odd one that is no square; one whose sides are no
# multiples of the patch, which both see padded.
SIZES = [(56, 56), (70, 98), (65, 93)]


def depth_of(output):
    return output.predicted_depth[:, None]


@torch.no_grad()
def assert_equal(peer, model, answer, end=torch.Tensor.clone):
    """That a network gives what its peer gives, enlarged to the size of the picture.

    `answer` takes that from an output, (B, K, h, w); `end` is done after the enlargement.
    """
    torch.manual_seed(1)
    for height, width in SIZES:
        pixels = torch.randn(2, 3, height, width)
        padded = F.pad(pixels, (0, -width % PATCH, 0, -height % PATCH), mode="replicate")
        maps = upsample(answer(peer(padded)), padded.shape[-2:])
        theirs = end(maps)[..., :height, :width]
        assert theirs.std() > 0.03
        ours = model(pixels)
        ours = ours[:, None] if ours.ndim == 3 else ours
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() < 1e-4


@pytest.mark.parametrize("kind", ["relative", "metric"])
def test_depth_anything_equals_theirs(tmp_path, kind):
    peer = depth_anything(kind)
    model = load_model(save_peer(peer, tmp_path))
    assert model.config.unit == ("metres" if kind == "metric" else "inverse depth")
    assert model.config.preprocessing == Preprocessing(IMAGENET_MEAN, IMAGENET_STD, 56)
    assert_equal(peer, model, depth_of)


def test_depth_anything_of_the_first_version_takes_the_last_four_blocks(tmp_path):
    peer = depth_anything(out_indices=[2, 3, 4, 5])
    model = load_model(save_peer(peer, tmp_path))
    assert model.config.trunk.levels == (1, 2, 3, 4)
    assert_equal(peer, model, depth_of)


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ({}, {"add_projection": True, "use_bias_in_fusion_residual": False,
              "fusion_hidden_size": 256}),
        ({"apply_layernorm": True, "qkv_bias": False}, {"readout_type": "ignore"}),
        ({"use_swiglu_ffn": True}, {"readout_type": "add",
                                    "use_batch_norm_in_fusion_residual": True}),
        ({"out_indices": [-4, -3, -2, -1]}, {}),
    ],
    ids=["published", "norm", "gated", "negative"],
)  # fmt: skip
def test_dpt_on_dinov2_equals_theirs(tmp_path, encoder, options):
    peer = dpt_dinov2(encoder, **options)
    model = load_model(save_peer(peer, tmp_path))
    published = options.get("add_projection", False)
    assert model.config.unit == ("metres" if published else "inverse depth")
    assert_equal(peer, model, depth_of)


@pytest.mark.parametrize(
    ("task", "answer", "end"),
    [
        ("depth", depth_of, torch.Tensor.clone),
        ("normals", lambda output: F.normalize(output.normals), F.normalize),
        ("segmentation", lambda output: output.segmentation_logits, torch.Tensor.clone),
    ],
)
def test_tipsv2_equals_theirs(tmp_path, task, answer, end):
    peer = tipsv2_dpt()
    save_peer(peer, tmp_path / "theirs")
    convert(tmp_path / "theirs", tmp_path / "ours", ConvertOptions(task=task))
    model = load_model(tmp_path / "ours")
    if task == "segmentation":
        assert tuple(model.labels) == LABELS
    assert_equal(peer, model, answer, end)


def test_tipsv2_of_a_gated_encoder(tmp_path):
    peer = tipsv2_dpt(use_swiglu_ffn=True, num_register_tokens=2)
    model = load_model(save_peer(peer, tmp_path))
    assert model.config.unit == "metres"
    assert_equal(peer, model, depth_of)


def test_what_was_left_out_is_told(tmp_path):
    save_peer(tipsv2_dpt(), tmp_path / "theirs")
    dropped = convert(tmp_path / "theirs", tmp_path / "ours").dropped
    assert "--task" in dropped["normals_head.project.weight"]
    assert "hidden patches" in dropped["vision_encoder.mask_token"]


def test_pictures_as_they_are_get_a_size_and_statistics_of_bytes(tmp_path):
    save_peer(dpt_dinov2(), tmp_path)
    file = tmp_path / "preprocessor_config.json"
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    changes = {"do_resize": False, "do_rescale": False, "image_mean": mean, "image_std": std}
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    found = load_model(tmp_path).config.preprocessing
    assert found.size == 480
    assert found.mean == pytest.approx(IMAGENET_MEAN)
    assert found.std == pytest.approx(IMAGENET_STD)


def refusal(source, **options):
    with pytest.raises(CheckpointError) as caught:
        convert(source, source.with_name("converted"), ConvertOptions(**options))
    message = str(caught.value)
    assert "\n" not in message
    assert not source.with_name("converted").exists()
    return message


def change_config(folder, **changes):
    file = folder / "config.json"
    values = json.loads(file.read_text())
    values["backbone_config"].update(changes.pop("backbone", {}))
    file.write_text(json.dumps({**values, **changes}))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"depth_estimation_type": "both"}, "depth_estimation_type is both"),
        ({"patch_size": 16}, "patch_size is 16"),
        ({"reassemble_hidden_size": 48}, "reassemble_hidden_size is 48"),
        ({"reassemble_factors": [4, 2, 1, 1]}, "reassemble_factors"),
        ({"backbone_config": "facebook/dinov2-small"}, "backbone_config is facebook"),
        ({"backbone": {"model_type": "dinov2_with_registers"}}, "model_type is dinov2_with"),
        ({"backbone": {"hidden_act": "relu"}}, "backbone_config: hidden_act is relu"),
        ({"backbone": {"out_indices": [1, 2, 3]}}, "out_indices"),
        ({"backbone": {"out_indices": [1, 2, 3, 6]}}, "four of 1 to 5"),
    ],
)
def test_a_depth_anything_that_networks_here_cannot_be_is_refused(tmp_path, changes, named):
    folder = save_peer(depth_anything(), tmp_path / "theirs")
    change_config(folder, **changes)
    assert named in refusal(folder)


def test_broken_weights_are_named_as_the_folder_has_them(tmp_path):
    folder = save_peer(depth_anything(), tmp_path / "theirs")
    file, name = folder / "model.safetensors", "backbone.encoder.layer.2.layer_scale1.lambda1"
    whole, weights = file.read_bytes(), load_file(file)
    save_file({key: value for key, value in weights.items() if key != name}, file)
    assert name in refusal(folder)
    save_file({**weights, name: torch.ones(31)}, file)
    assert name in refusal(folder)
    save_file({**weights, "backbone.more": torch.ones(1)}, file)
    assert "unknown weight: 'backbone.more'" in refusal(folder)
    file.write_bytes(whole[:-100])
    assert "model.safetensors" in refusal(folder)


def test_a_task_is_for_folders_with_several(tmp_path):
    folder = save_peer(depth_anything(), tmp_path / "theirs")
    assert "leave out --task" in refusal(folder, task="normals")
    weights = load_file(save_peer(tipsv2_dpt(), tmp_path / "tips") / "model.safetensors")
    kept = {key: value for key, value in weights.items() if not key.startswith("normals")}
    save_file(kept, tmp_path / "tips" / "model.safetensors")
    assert "give --task depth or segmentation" in refusal(tmp_path / "tips", task="normals")
    assert isinstance(load_model(tmp_path / "tips").config, DepthConfig)


def test_nothing_of_a_pickle_is_run(tmp_path):
    folder = save_peer(depth_anything(), tmp_path / "theirs")
    (folder / "model.safetensors").unlink()
    torch.save({"weight": print}, folder / "pytorch_model.bin")
    assert "no state dict" in refusal(folder)
