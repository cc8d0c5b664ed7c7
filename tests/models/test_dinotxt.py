"""dino.txt against outputs of its authors' code, which was run on the same files."""

import copy

import numpy as np
import pytest
import torch
from dinotxt import NAMES, REGISTERS, WIDTH, write_dinotxt
from reference import FOLDER, image
from torch.nn import functional as F

import lseg
from lseg.models.aligned.network import AlignedEncoder

PROMPTS = [
    "cat", "a photo of a dog.", "the traffic light, seen from below", "naïve café 日本語",
    "word " * 90,
]  # fmt: skip
PATCHES = {"dinov2": 14, "dinov3": 16}


@pytest.fixture(scope="module", params=sorted(NAMES))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind, tmp_path_factory):
    return lseg.load_model(write_dinotxt(tmp_path_factory.mktemp(kind), kind))


@pytest.fixture(scope="module")
def wanted():
    with np.load(FOLDER / "encoders" / "dinotxt.npz") as file:
        return dict(file)


@torch.inference_mode()
def test_patches_are_those_of_the_authors_code(kind, model, wanted):
    patch = PATCHES[kind]
    for height, width in (
        (8 * patch, 8 * patch),
        (5 * patch, 7 * patch),
        (3 * patch, 2 * patch + 5),
    ):
        found = model.encode_image(image(height, width, seed=1))
        assert found.shape == (1, WIDTH, -(-height // patch), -(-width // patch))
        stored = torch.from_numpy(wanted[f"{kind}_{height}x{width}"])
        assert (found[:, ::16] - stored).abs().max() < 2e-5, (height, width)


def test_text_vectors_are_second_halves_of_the_authors(kind, model, wanted):
    found = model.text.source.encode(PROMPTS, torch.device("cpu"))
    stored = torch.from_numpy(wanted[f"{kind}_text"][:, WIDTH // 8 :])
    for vector, values in zip(found, stored, strict=True):  # a part of each, so up to a factor
        cosine = F.cosine_similarity(vector[::8], values, dim=0)
        assert cosine > 1 - 1e-6
        length = vector[::8].norm() / values.norm()
        assert (vector[::8] - length * values).abs().max() < 1e-5
    assert found.norm(dim=-1).sub(1).abs().max() < 1e-5


def test_prompts_are_cut_behind_the_longest_one(model):
    source = model.text.source
    alone = source.encode(PROMPTS[:1], torch.device("cpu"))
    among = source.encode(PROMPTS, torch.device("cpu"))[:1]
    assert (alone - among).abs().max() < 1e-6
    seen = []
    net = copy.deepcopy(source.net)
    net.transformer.register_forward_hook(lambda *call: seen.append(call[1][0].shape[1]))
    source.vectors(net, source.tokenizer(["cat", "a photo of a dog."]))
    assert seen == [8]


@torch.inference_mode()
def test_the_last_block_of_the_head_is_the_one_in_question(model):
    """MaskCLIP's and NACLIP's attention are defined on any block, so on the head's, too."""
    model, encoder = copy.deepcopy(model), model.trunk.backbone
    pixels = torch.randn(1, 3, 3 * encoder.patch, 4 * encoder.patch)
    tokens = encoder.before_last(pixels, (3, 4))
    assert tokens.shape == (1, 1 + REGISTERS + 12, WIDTH)
    block, patches = encoder.head.blocks[-1], tokens[:, 1 + REGISTERS :]
    value = block.attn.qkv(block.norm1(patches)).chunk(3, dim=-1)[2]
    mixed = patches + block.ls1(block.attn.proj(value))
    by_value = encoder.head.norm(mixed + block.ls2(block.mlp(block.norm2(mixed))))
    model.set_attention("value")
    found = model.encode_image(pixels).flatten(2).transpose(1, 2)
    assert (found - by_value).abs().max() < 1e-5
    answers = {model.config.encoder.attention: found}
    for attention in ("neighbour", "full"):
        model.set_attention(attention)
        answers[attention] = model.encode_image(pixels)
    assert not answers["neighbour"].allclose(answers["full"], atol=1e-2)


@torch.inference_mode()
def test_a_native_copy_answers_where_the_files_are_gone(kind, model, tmp_path):
    folder = tmp_path / "published"
    read = lseg.load_model(write_dinotxt(folder, kind).parent)
    read.save_pretrained(tmp_path / "saved")
    folder.rename(tmp_path / "gone")
    moved = (tmp_path / "saved").rename(tmp_path / "moved")
    again = AlignedEncoder.from_pretrained(moved)
    pixels = torch.randn(1, 3, 60, 80)
    assert again(pixels, ["cat", "dog"]).allclose(model(pixels, ["cat", "dog"]), atol=1e-4)
    assert again.config.encoder == model.config.encoder
    again.save_pretrained(moved)  # onto itself
    assert lseg.load_model(moved).encode_labels(["cat"]).shape == (1, WIDTH)


def test_models_say_what_they_know(kind, model):
    config = model.config
    assert config.licence == {"dinov2": "apache-2.0", "dinov3": "dinov3-license"}[kind]
    assert f"patches of {PATCHES[kind]} pixels" in config.description
    assert config.logit_scale == pytest.approx({"dinov2": 1 / 0.07, "dinov3": np.exp(3)}[kind])
    assert len(config.text.templates) == 80
