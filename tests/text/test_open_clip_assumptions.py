"""What this project takes for granted of open_clip; a release that changes it fails here first."""

import open_clip
import pytest
import torch

from lseg.paths import ASSETS


def test_tags_of_openai_say_that_their_weights_need_quick_gelu():
    """`create_model` is told so: as plain GELU the vectors are silently others."""
    assert open_clip.get_pretrained_cfg("ViT-B-32", "openai")["quick_gelu"]
    assert not open_clip.get_pretrained_cfg("ViT-B-32", "laion2b_s34b_b79k").get("quick_gelu")
    assert open_clip.get_model_config("ViT-B-32-quickgelu")["quick_gelu"]


def test_tokens_are_77_with_an_end_however_long_the_text():
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    short, long = tokenizer(["a", "tree " * 200])
    assert short.shape == long.shape == (77,)
    assert short.max() == long[-1] == 49407  # the end, the largest number, is where CLIP pools


def test_case_and_surrounding_blanks_make_no_other_tokens():
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    assert torch.equal(tokenizer("Traffic  light "), tokenizer("traffic light"))


def test_a_folder_is_a_model_and_its_text_side_alone_encodes():
    net = open_clip.create_model(f"local-dir:{ASSETS / 'tiny_clip'}", require_pretrained=True)
    tokens = open_clip.get_tokenizer(f"local-dir:{ASSETS / 'tiny_clip'}")(["red circle"])
    net.visual = torch.nn.Identity()
    vectors = net.eval().encode_text(tokens, normalize=True)
    assert vectors.norm(dim=-1).item() == pytest.approx(1)
