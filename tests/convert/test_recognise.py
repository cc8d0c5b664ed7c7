"""Checkpoints are told by their keys and content, never by their names."""

import pytest
import torch
from official import blank, hollow, refusal
from safetensors.torch import save_file

from lseg.convert.official import SpatialBlockOptions
from lseg.convert.recognise import ConvertOptions, recognise
from lseg.store.foreign import read_state_dict
from lseg.store.foreign_kinds import strip_prefixes


def test_safetensors_are_told_by_their_content(tmp_path):
    weights = {"w": torch.randn(3)}
    save_file(weights, tmp_path / "model.ckpt")
    assert torch.equal(read_state_dict(tmp_path / "model.ckpt")["w"], weights["w"])


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_archive_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(path)
    message = refusal(read_state_dict, path)
    assert "TorchScript" in message
    recipe = message.split('python -c "')[1].rstrip('"')
    assert "ViT-B-32.pt" in recipe
    assert "weights_only" not in message  # torch's own message advises to turn safety off
    recipe = recipe.replace("ViT-B-32.pt", str(path)).replace("weights.pt", str(tmp_path / "w.pt"))
    exec(recipe)
    assert set(read_state_dict(tmp_path / "w.pt")) == {"weight", "bias"}


def test_what_wrappers_put_before_names_is_taken_off():
    tensor = torch.zeros(1)
    found, prefix = strip_prefixes({f"module._orig_mod.net.{key}": tensor for key in "ab"})
    assert (list(found), prefix) == (["a", "b"], "module._orig_mod.net.")
    found, prefix = strip_prefixes({"net.a": tensor, "net.b": tensor, "nett.c": tensor})
    assert (list(found), prefix) == (["a", "b", "nett.c"], "net.")
    assert strip_prefixes({"a": tensor, "net.b": tensor}) == ({"a": tensor, "net.b": tensor}, "")


@pytest.mark.parametrize(
    ("name", "key", "new"),
    [
        ("lseg_clip_vitb32_384", "net.scratch.head1.weight", "net.scratch.head9.weight"),
        ("lseg_clip_vitb32_384", "net.scratch.head1.weight", "other.head1.weight"),
        ("dpt_large-midas", "scratch.output_conv.0.weight", "scratch.output.0.weight"),
        ("dpt_hybrid-ade20k", "scratch.layer1_rn.weight", "scratch.layer_rn.weight"),
    ],
)
def test_without_the_telling_weight_the_error_still_names_it(tmp_path, name, key, new):
    weights = hollow(name)
    weights[new] = weights.pop(key)
    torch.save({"state_dict": weights}, tmp_path / "model.ckpt")
    message = refusal(recognise, tmp_path / "model.ckpt", ConvertOptions())
    assert repr(key) in message or new in message
    assert "no known kind" not in message


@pytest.mark.parametrize(
    ("name", "options", "flag"),
    [
        ("lseg_clip_vitb32_384", ConvertOptions(labels=("sky",)), "--labels"),
        ("lseg_clip_vitb32_384", ConvertOptions(depth={"invert": True}), "--invert"),
        ("dpt_large-midas", ConvertOptions(clip_model="ViT-B-32"), "--clip-model"),
        ("dpt_large-midas", ConvertOptions(SpatialBlockOptions("depthwise")), "--block"),
    ],
)
def test_options_without_a_use_are_refused(tmp_path, name, options, flag):
    torch.save(hollow(name), tmp_path / "model.pt")
    assert flag in refusal(recognise, tmp_path / "model.pt", options)


def test_every_weight_of_a_manifest_is_known_with_its_prefix(tmp_path):
    torch.save({"state_dict": hollow("lseg_clip_vitb32_384")}, tmp_path / "model.ckpt")
    conversion, origin = recognise(tmp_path / "model.ckpt", ConvertOptions())
    assert origin.prefix == "net."
    kept = len(conversion.weights) + len(conversion.text)
    assert kept + len(conversion.dropped) == len(blank("lseg_clip_vitb32_384"))
