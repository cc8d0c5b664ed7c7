import json

import pytest
import torch
from open_clip import OPENAI_IMAGENET_TEMPLATES
from safetensors.torch import save_file
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import ConfigError, LSegError
from lseg.text.encoder import LabelEncoder
from lseg.text.templates import named_templates, with_templates


@pytest.fixture
def encoder(clip_folder):
    return LabelEncoder(TextConfig(f"local-dir:{clip_folder}", None), 32)


def test_the_names():
    assert named_templates("bare") == ("{}",)
    assert named_templates("photo") == ("a photo of a {}",)
    ensemble = named_templates("imagenet80")
    assert len(set(ensemble)) == 80
    assert ensemble[0] == "a bad photo of a {}."
    assert ensemble[-1] == "a tattoo of the {}."


def test_a_file_of_templates(tmp_path):
    path = tmp_path / "templates.txt"
    path.write_text("# mine\n\na {} in a scene\nthe {}.\n")
    assert named_templates(str(path)) == ("a {} in a scene", "the {}.")


@pytest.mark.parametrize("lines", ["", "# nothing\n", "no place\n", "a {}\nno place\n"])
def test_files_without_a_place_for_the_label_are_refused(lines, tmp_path):
    path = tmp_path / "templates.txt"
    path.write_text(lines)
    with pytest.raises(ConfigError, match="template"):
        named_templates(str(path))


@pytest.mark.parametrize("name", ["imagenet", "photos", "missing.txt", ""])
def test_what_is_neither_a_name_nor_a_file_is_refused(name):
    with pytest.raises(ConfigError, match="bare, photo, imagenet80"):
        named_templates(name)


def test_the_ensemble_is_the_normalised_mean_of_unit_vectors(encoder):
    found = with_templates(encoder, "imagenet80").encode(["hen", "red barn"])
    for vector, name in zip(found, ["hen", "red barn"], strict=True):
        prompts = [template(name) for template in OPENAI_IMAGENET_TEMPLATES]
        each = encoder.source.encode(prompts, torch.device("cpu"))
        torch.testing.assert_close(each.norm(dim=1), torch.ones(80))
        torch.testing.assert_close(vector, F.normalize(each.sum(0), dim=0))


def test_vectors_of_other_templates_are_not_taken_from_the_cache(encoder):
    bare = encoder.encode(["hen"])
    photo = with_templates(encoder, "photo").encode(["hen"])
    assert F.cosine_similarity(bare, photo).item() < 0.9999
    again = with_templates(encoder, "bare").encode(["hen"])
    torch.testing.assert_close(again, bare)
    torch.testing.assert_close(photo, encoder.encode(["a photo of a hen"]))


def table(path, metadata):
    labels = {"labels": json.dumps(["hen"])}
    save_file({"embeddings": torch.ones(1, 32)}, path, metadata | labels)
    return LabelEncoder(TextConfig(table=str(path)), 32)


def test_a_table_says_which_template_it_has(tmp_path):
    encoder = table(tmp_path / "a.safetensors", {"template": "a photo of a {}"})
    with pytest.raises(ConfigError, match=r"imagenet80.*a\.safetensors.*'a photo of a \{\}'"):
        with_templates(encoder, "imagenet80")
    found = with_templates(encoder, "photo").encode(["hen"])  # what it has anyway
    torch.testing.assert_close(found, encoder.encode(["hen"]))
    silent = table(tmp_path / "b.safetensors", {})
    with pytest.raises(LSegError, match="templates that it does not tell"):
        with_templates(silent, "bare")
