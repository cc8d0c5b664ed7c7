"""Encoders of pictures and texts against the libraries that they are published for."""

import copy
from types import SimpleNamespace

import open_clip
import pytest
import torch
from encoders import VISION, open_clip_folder, transformers_folder
from torch import nn
from torch.nn import functional as F

import lseg
from lseg.config import EncoderConfig
from lseg.errors import ConfigError
from lseg.models.aligned.build import build_encoder
from lseg.models.aligned.network import AlignedEncoder
from lseg.models.tokens import resample_positions

ODD = ["cat", "🐶 و كلب", "שלום עולם", "naïve café", "x" * 200, "cat " * 90, "日本語", "a  b\tc"]


def last_by_value(block, names):
    """Has a block's attention give each token its own value, whatever it is asked for."""
    value, out = (getattr(block, name) for name in names)
    block.forward = lambda hidden_states, *_, **__: (out(value(hidden_states)), None)


class OpenClipReference:
    """open_clip's own network, its positions brought to a grid by hand."""

    def __init__(self, net):
        self.net = copy.deepcopy(net)
        self.net.visual.output_tokens = True

    def by_value(self):
        attention = self.net.visual.transformer.resblocks[-1].attn
        weight, bias = (
            part.chunk(3)[2] for part in (attention.in_proj_weight, attention.in_proj_bias)
        )
        self.net.visual.transformer.resblocks[-1].attention = lambda q_x, **_: attention.out_proj(
            F.linear(q_x, weight, bias)
        )

    def patches(self, pixels, grid):
        visual = copy.deepcopy(self.net.visual)
        table = resample_positions(visual.positional_embedding[None], (4, 4), grid, 1)[0]
        visual.positional_embedding = nn.Parameter(table)
        return visual(pixels)[1] @ visual.proj

    def texts(self, prompts, folder):
        return self.net.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")(prompts))


class ClipReference:
    """transformers' CLIP."""

    def __init__(self, net):
        self.net = copy.deepcopy(net)

    def by_value(self):
        last_by_value(self.net.vision_model.encoder.layers[-1].self_attn, ("v_proj", "out_proj"))

    def patches(self, pixels, grid):
        vision = self.net.vision_model
        tokens = vision(pixels, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
        return self.net.visual_projection(vision.post_layernorm(tokens))

    def texts(self, prompts, folder):
        from transformers import AutoTokenizer

        padding = "longest" if "clip" in self.net.config.model_type else "max_length"
        inputs = AutoTokenizer.from_pretrained(folder)(
            prompts, padding=padding, truncation=True, return_tensors="pt"
        )
        found = self.net.get_text_features(**inputs)
        return found if isinstance(found, torch.Tensor) else found.pooler_output


class SiglipReference(ClipReference):
    """transformers' SigLIP: each patch goes through the pooling head as the only one."""

    def patches(self, pixels, grid):
        vision = self.net.vision_model
        tokens = vision(pixels, interpolate_pos_encoding=True).last_hidden_state
        return torch.stack([vision.head(token[:, None]) for token in tokens.unbind(1)], dim=1)


class Tipsv2Reference(ClipReference):
    """transformers' TIPSv2: behind the two class tokens."""

    def by_value(self):
        last_by_value(self.net.vision_model.encoder.layer[-1].attention, ("v_proj", "o_proj"))

    def patches(self, pixels, grid):
        return self.net.vision_model(pixels).last_hidden_state[:, 2:]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Each kind: its folder, the library's network, and the model that was read of the folder."""
    root = tmp_path_factory.mktemp("encoders")

    def case(name, reference, make, patch, **options):
        folder = root / name
        net = make(folder, **options)
        return SimpleNamespace(
            folder=folder, patch=patch, reference=reference(net), model=lseg.load_model(folder)
        )

    quick = {"quick_gelu": True}
    return {
        "open_clip": case("open_clip", OpenClipReference, open_clip_folder, 16, **quick),
        "clip": case("clip", ClipReference, transformers_folder, 16, kind="clip"),
        "siglip": case("siglip", SiglipReference, transformers_folder, 16, kind="siglip"),
        "tipsv2": case("tipsv2", Tipsv2Reference, transformers_folder, 14, kind="tipsv2"),
        "tipsv2-g": case(
            "tipsv2-g", Tipsv2Reference, transformers_folder, 14, kind="tipsv2",
            use_swiglu_ffn=True,
        ),
    }  # fmt: skip


KINDS = ("open_clip", "clip", "siglip", "tipsv2", "tipsv2-g")


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_patches_are_those_of_the_library(cases, kind):
    case = cases[kind]
    patch, model = case.patch, copy.deepcopy(case.model)
    own = model.config.preprocessing.size
    sizes = (2, own, own), (1, 5 * patch, 7 * patch), (1, 3 * patch, 2 * patch + 5)
    by_value = copy.deepcopy(case.reference)
    by_value.by_value()
    for batch, height, width in sizes:
        pixels = torch.randn(batch, 3, height, width)
        padded = F.pad(pixels, (0, -width % patch, 0, 0), mode="replicate")
        grid = -(-height // patch), -(-width // patch)
        for attention, reference in (("full", case.reference), ("value", by_value)):
            model.set_attention(attention)
            wanted = reference.patches(padded, grid).transpose(1, 2).unflatten(2, grid)
            found = model.encode_image(pixels)
            assert found.shape == wanted.shape
            assert (found - wanted).abs().max() < 1e-5, (attention, height, width)
            assert wanted.abs().max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_label_vectors_are_those_of_the_library(cases, kind):
    case = cases[kind]
    templates = case.model.config.text.templates
    found = case.model.encode_labels(ODD, distinct=False)
    for label, vector in zip(ODD, found, strict=True):
        label = " ".join(label.split())
        prompts = [template.replace("{}", label) for template in templates]
        wanted = F.normalize(case.reference.texts(prompts, case.folder), dim=-1).mean(0)
        assert (vector - F.normalize(wanted, dim=0)).abs().max() < 1e-5, label


def neighbour_attention(attention, tokens, grid, deviation):
    """NACLIP, patch by patch and head by head."""
    query_key_value = attention.qkv(tokens)
    keys, values = query_key_value.chunk(3, dim=-1)[1:]
    places = [(row, column) for row in range(grid[0]) for column in range(grid[1])]
    prefix = tokens.shape[1] - len(places)
    bias = torch.zeros(tokens.shape[1], tokens.shape[1])
    for one, (row, column) in enumerate(places):
        for other, (row2, column2) in enumerate(places):
            distance = (row - row2) ** 2 + (column - column2) ** 2
            near = torch.exp(torch.tensor(-distance / (2 * deviation**2)))
            bias[prefix + one, prefix + other] = near
    heads = []
    for key, value in zip(
        keys.chunk(attention.num_heads, -1), values.chunk(attention.num_heads, -1), strict=True
    ):
        alike = key @ key.transpose(1, 2) * key.shape[-1] ** -0.5
        heads.append((alike + bias).softmax(-1) @ value)
    return attention.proj(torch.cat(heads, dim=-1))


@pytest.mark.parametrize("kind", ["open_clip", "siglip"])
@torch.inference_mode()
def test_neighbour_attention_is_that_of_its_formula(cases, kind):
    model = copy.deepcopy(cases[kind].model)
    model.set_attention("neighbour")
    encoder, grid = model.trunk.backbone, (3, 5)
    tokens = encoder.embed(torch.randn(1, 3, 48, 80), grid)
    block = encoder.vit.blocks[-1]
    wanted = neighbour_attention(block.attn, block.norm1(tokens), grid, 5.0)
    found = encoder.last_block(block, tokens, grid)
    assert (found - encoder.patches(wanted)).abs().max() < 1e-5


@torch.inference_mode()
def test_logits_are_cosines_of_cells_brought_to_the_picture(cases):
    model = cases["open_clip"].model
    pixels, vectors = torch.randn(1, 3, 70, 90), F.normalize(torch.randn(5, 24), dim=-1)
    padded = F.pad(pixels, (0, 6, 0, 10), mode="replicate")
    cosines = torch.einsum("bchw,nc->bnhw", F.normalize(model.encode_image(padded), dim=1), vectors)
    wanted = model.config.logit_scale * F.interpolate(
        cosines, (80, 96), mode="bilinear", align_corners=False
    )
    assert (model(pixels, vectors) - wanted[..., :70, :90]).abs().max() < 1e-5
    logits = model.logits(pixels, vectors)
    for start in range(0, 70, 9):  # a strip at a time, as predictions are made
        stop = min(start + 9, 70)
        strip = logits.rows(start, stop)
        assert (strip - wanted[:, :, start:stop, :90]).abs().max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_saved_models_answer_without_the_folder_they_were_read_from(cases, kind, tmp_path):
    case = cases[kind]
    case.model.save_pretrained(tmp_path / "saved")
    moved = (tmp_path / "saved").rename(tmp_path / "moved")
    again = AlignedEncoder.from_pretrained(moved)
    assert again.text.config.model.split(":")[1] == "text"
    pixels = torch.randn(1, 3, 60, 80)
    found, wanted = again(pixels, ["cat", "dog"]), case.model(pixels, ["cat", "dog"])
    assert (found - wanted).abs().max() < 1e-4
    assert again.config.description == case.model.config.description
    again.save_pretrained(moved)  # onto itself
    assert lseg.load_model(moved)(pixels, ["cat", "dog"]).equal(found)


def test_models_say_what_they_know(cases):
    assert "patches of 14 pixels" in cases["tipsv2"].model.config.description
    assert cases["tipsv2"].model.config.licence == "cc-by-4.0"
    assert cases["tipsv2"].model.config.logit_scale == pytest.approx(197.4, abs=0.1)
    assert cases["open_clip"].model.config.preprocessing.mean == (0.4, 0.5, 0.6)


def test_what_is_no_plain_transformer_is_refused():
    with pytest.raises(ConfigError, match="is no plain vision transformer"):
        build_encoder(EncoderConfig("resnet10t"))


@torch.inference_mode()
def test_towers_of_timm_in_open_clip(tmp_path):
    """SigLIP's, without class token and with a pooling head; MobileCLIP's, behind convolutions."""
    for name, pool, projection in (
        ("vit_base_patch16_siglip_224", "map", "none"),
        ("vit_base_mci_224", "token", None),
    ):
        vision = {
            "image_size": 224, "timm_model_name": name, "timm_pool": pool, "timm_proj": projection,
        }  # fmt: skip
        width = 768 if projection else 24
        net = open_clip_folder(tmp_path / name, vision, embed_dim=width, custom_text=True)
        model = lseg.load_model(tmp_path / name)
        model.set_attention("full")
        pixels, trunk = torch.randn(1, 3, 224, 224), net.visual.trunk
        tokens = trunk.forward_features(pixels)[:, trunk.num_prefix_tokens :][:, 3:40:9]
        if trunk.attn_pool is not None:
            tokens = torch.stack([trunk.attn_pool(one[:, None]) for one in tokens.unbind(1)], 1)
        wanted = trunk.head(trunk.fc_norm(tokens))[0]
        found = model.encode_image(pixels).flatten(2)[0, :, 3:40:9].T
        assert (found - wanted).abs().max() < 1e-5, name


def test_open_clip_with_another_norm_and_no_norm_before_the_blocks(tmp_path):
    vision = VISION | {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}
    net = open_clip_folder(tmp_path / "clip", vision)
    model = lseg.load_model(tmp_path / "clip")
    model.set_attention("full")
    visual = net.visual
    with torch.inference_mode():
        pixels = torch.randn(1, 3, 64, 64)
        tokens = visual.transformer(visual._embeds(pixels))[:, 1:]
        wanted = (visual.ln_post(tokens) @ visual.proj).transpose(1, 2).unflatten(2, (4, 4))
        assert (model.encode_image(pixels) - wanted).abs().max() < 1e-5
