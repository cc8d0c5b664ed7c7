"""Text towers of open_clip that cannot be had, or would compute something else."""

import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file

from lseg.errors import ConfigError
from lseg.text.encoder import OpenClipText

CPU = torch.device("cpu")


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_tower_that_is_cut_off_is_an_error_that_names_it(plain_clip, tower):
    tower.write_bytes(tower.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"text_encoder\.safetensors.*cannot be read") as caught:
        OpenClipText(plain_clip, None, tower)
    one_line(caught)


def test_a_tower_that_was_left_behind_is_an_error_that_says_so(plain_clip, tower):
    tower.unlink()
    with pytest.raises(ConfigError, match="--text-table") as caught:
        OpenClipText(plain_clip, None, tower)
    assert str(tower) in one_line(caught)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_weights_of_a_whole_clip_that_are_cut_off(plain_clip, tmp_path, size):
    path = tmp_path / "clip.pt"
    torch.save({"state_dict": {"a": torch.zeros(9000)}}, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ConfigError, match=r"clip\.pt") as caught:
        OpenClipText(plain_clip, str(path))
    one_line(caught)


def test_a_tokenizer_that_cannot_be_fetched_is_an_error_that_names_the_model(tower):
    model = "ViT-B-16-SigLIP"  # its tokenizer comes from a hub, which tests may not ask
    with pytest.raises(ConfigError, match=rf"the tokenizer of '{model}'") as caught:
        OpenClipText(model, None, tower)
    assert "table of label vectors" in one_line(caught)


@pytest.mark.parametrize("name", ["clip.safetensors", "clip.pt", "text.safetensors"])
def test_openai_s_weights_under_plain_gelu_are_warned_of(plain_clip, tower, tmp_path, name):
    import open_clip

    path = tmp_path / name
    whole = open_clip.create_model(plain_clip).state_dict()
    weights = whole if name.startswith("clip") else load_file(tower)
    halved = {key: value.half() for key, value in weights.items()}
    (torch.save if name.endswith(".pt") else save_file)(halved, path)
    with pytest.warns(UserWarning, match=rf"{name} looks like.*name {plain_clip}-quickgelu"):
        plain = OpenClipText(plain_clip, str(path))
    with warnings.catch_warnings(action="error"):
        quick = OpenClipText(f"{plain_clip}-quickgelu", str(path))
    assert not torch.equal(plain.encode(["sky"], CPU), quick.encode(["sky"], CPU))


def test_weights_named_after_openai_are_warned_of(plain_clip, tower):
    path = tower.rename(tower.with_name("openai.safetensors"))
    with pytest.warns(UserWarning, match="quick GELU"):
        OpenClipText(plain_clip, str(path))


def test_weights_of_full_precision_are_not_warned_of(plain_clip, tower):
    with warnings.catch_warnings(action="error"):
        OpenClipText(plain_clip, str(tower))
