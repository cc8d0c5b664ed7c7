"""Labels to vectors by a frozen text tower."""

import dataclasses

import pytest
import torch
from text_sources import open_source, reference
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import ConfigError, LabelError
from lseg.models.lseg import LSeg
from lseg.text.clip import OpenClipText
from lseg.text.encoder import LabelEncoder


def test_synonyms_are_averaged_to_a_unit_vector(table):
    path, vectors = table
    found = LabelEncoder(TextConfig(table=str(path)), 8).encode([" person | man |", "sky"])
    expected = F.normalize((vectors["person"] + vectors["man"]) / 2, dim=-1)
    torch.testing.assert_close(found, torch.stack([expected, vectors["sky"]]))
    assert found.norm(dim=-1).tolist() == pytest.approx([1, 1], abs=1e-6)


def test_templates_are_averaged_over_their_unit_vectors(clip_folder):
    templates = ("{}", "a photo of {}")
    config = TextConfig(f"local-dir:{clip_folder}", None, templates=templates)
    found = LabelEncoder(config, 32).encode(["sky", "man|boy"])
    sky = reference(clip_folder, ["sky", "a photo of sky"]).mean(0)
    names = ["man", "a photo of man", "boy", "a photo of boy"]
    man = reference(clip_folder, names).mean(0)
    expected = F.normalize(torch.stack([sky, man]), dim=-1)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_order_and_repetition_of_labels_are_kept(clip_folder):
    config = TextConfig(f"local-dir:{clip_folder}", None)
    labels = ["road", "sky", "road"]
    found = LabelEncoder(config, 32).encode(labels)
    torch.testing.assert_close(found, reference(clip_folder, labels), atol=1e-6, rtol=0)
    assert found.dtype == torch.float32
    assert not found.requires_grad


def test_label_with_braces_is_plain_text(clip_folder):
    found = LabelEncoder(TextConfig(f"local-dir:{clip_folder}", None), 32).encode(["{x}"])
    torch.testing.assert_close(found, reference(clip_folder, ["{x}"]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("a {photo} of {}", "a {photo} of sky"),
        ("{} {}", "sky sky"),
        ("{{}} {", "{sky} {"),
        ("{0} {}}", "{0} sky}"),
    ],
)
def test_other_braces_of_a_template_are_plain_text(clip_folder, template, prompt):
    config = TextConfig(f"local-dir:{clip_folder}", None, templates=(template,))
    found = LabelEncoder(config, 32).encode(["sky"])
    torch.testing.assert_close(found, reference(clip_folder, [prompt]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("template", ["{", "{0}", "a photo", "{name}"])
def test_a_template_without_a_place_for_the_label_is_refused(template):
    with pytest.raises(ConfigError, match=r"each needs a \{\} for the label"):
        TextConfig(templates=(template,))


def test_many_prompts_are_encoded_in_chunks_without_a_trace(clip_folder):
    labels = [f"label {index}" for index in range(260)]
    found = open_source(clip_folder).encode(labels, torch.device("cpu"))
    last = reference(clip_folder, labels[-6:])
    torch.testing.assert_close(found[-6:], last, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "labels", [[], (), [""], ["sky", "  "], ["|"], "sky", ["sky", 5], [None], 5, None]
)
def test_labels_that_are_none_are_refused(table, labels):
    with pytest.raises(LabelError):
        LabelEncoder(TextConfig(table=str(table[0])), 8).encode(labels)


def test_vectors_of_another_width_are_refused(table):
    with pytest.raises(LabelError, match=r"label vectors are 8 wide.*512"):
        LabelEncoder(TextConfig(table=str(table[0])), 512).encode(["sky"])


def test_vectors_of_another_width_are_refused_when_they_are_cached(clip_folder):
    config = TextConfig(f"local-dir:{clip_folder}", None)
    LabelEncoder(config, 32).encode(["sky"])
    with pytest.raises(LabelError, match=r"32 wide.*64"):
        LabelEncoder(config, 64).encode(["sky"])


def test_model_answers_label_names(table, tiny_conv_config):
    path, vectors = table
    text = TextConfig(table=str(path))
    model = LSeg(dataclasses.replace(tiny_conv_config, text=text, embed_dim=8)).eval()
    torch.testing.assert_close(model.encode_labels(["sky"])[0], vectors["sky"])
    pixels = torch.randn(1, 3, 64, 64)
    by_name = model(pixels, ["road", "man"])
    by_vector = model(pixels, torch.stack([vectors["road"], vectors["man"]]))
    torch.testing.assert_close(by_name, by_vector)


def test_model_trains_on_label_names(clip_folder, tiny_conv_config):
    text = TextConfig(f"local-dir:{clip_folder}", None)
    model = LSeg(dataclasses.replace(tiny_conv_config, text=text, embed_dim=32))
    model(torch.randn(2, 3, 64, 64), ["sky", "road"]).square().mean().backward()
    assert model.project.weight.grad.abs().max() > 0
    assert not any("text" in key for key in model.state_dict())


# The text tower


def test_text_tower_is_frozen_and_in_eval_mode(clip_folder):
    source = open_source(clip_folder)
    assert not source.net.training
    assert not any(parameter.requires_grad for parameter in source.net.parameters())
    assert not list(source.net.visual.parameters())


def test_nothing_is_built_before_label_names_are_asked_for():
    LabelEncoder(TextConfig("local-dir:/nowhere", None), 32)


@pytest.mark.parametrize(
    ("model", "pretrained"),
    [
        ("no-such-model", "openai"),
        ("ViT-B-32", "no_such_tag"),
        ("ViT-B-32", None),
        ("local-dir:/nowhere", None),
    ],
)
def test_unknown_text_encoder_is_an_error_that_names_it(model, pretrained):
    with pytest.raises(ConfigError, match=model):
        OpenClipText(model, pretrained)


def test_folder_without_weights_does_not_give_random_vectors(clip_folder):
    (clip_folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(ConfigError, match="clip"):
        open_source(clip_folder)


def test_corrupt_weights_are_an_error_that_names_the_encoder(clip_folder):
    (clip_folder / "open_clip_model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ConfigError, match="clip"):
        open_source(clip_folder)
