"""Tables that users make: words encoded, tables merged."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import ConfigError, LabelError
from lseg.text.clip import OpenClipText
from lseg.text.making import default_weights, encode_words, merge
from lseg.text.table import LabelTable, write_table

CPU = torch.device("cpu")


def table(path, names, config):
    write_table(path, *encode_words(names, config))
    return LabelTable(path)


@pytest.fixture
def config(clip_folder):
    return TextConfig(f"local-dir:{clip_folder}", None, templates=("a photo of a {}",))


def saved(path, names, vectors, **metadata):
    told = {"model": "ViT-B-16", "pretrained": "openai", "template": "a photo of a {}", **metadata}
    told = {key: value for key, value in told.items() if value is not None}
    save_file({"embeddings": vectors}, path, {**told, "labels": json.dumps(names)})
    return LabelTable(path)


def test_words_are_encoded_in_their_template(tmp_path, config):
    made = table(tmp_path / "t", ["old mill", "griffin"], config)
    source = OpenClipText(config.model, None)
    expected = source.encode(["a photo of a old mill", "a photo of a griffin"], CPU)
    torch.testing.assert_close(torch.stack(list(made.vectors.values())), expected)
    assert made.names == ["old mill", "griffin"]
    told = made.metadata
    assert (told["model"], told["template"]) == (config.model, "a photo of a {}")
    assert (told["pretrained"], told["weights"]) == ("", source.fingerprint())


def test_several_templates_are_averaged_and_told(tmp_path, clip_folder):
    templates = ("a {}", "{}")
    made = table(
        tmp_path / "t", ["mill"], TextConfig(f"local-dir:{clip_folder}", None, templates=templates)
    )
    assert json.loads(made.metadata["template"]) == list(templates)
    vectors = OpenClipText(f"local-dir:{clip_folder}", None).encode(["a mill", "mill"], CPU)
    torch.testing.assert_close(made.vectors["mill"], F.normalize(vectors.mean(0), dim=0))


def test_a_weight_file_is_told_by_its_name_and_its_weights(tmp_path, plain_clip, tower):
    made = table(tmp_path / "t", ["mill"], TextConfig(plain_clip, str(tower)))
    again = tower.with_name("copy.safetensors")
    save_file({name: value.clone() for name, value in load_file(tower).items()}, again)
    copy = table(tmp_path / "u", ["mill"], TextConfig(plain_clip, str(again)))
    assert made.metadata["pretrained"] == tower.name
    assert made.metadata["weights"] == copy.metadata["weights"]


def test_the_hash_is_of_the_text_side_alone(tmp_path, plain_clip):
    """The same text tower, from a file of its own and from one of a whole CLIP."""
    import open_clip

    whole = open_clip.create_model(plain_clip).state_dict()
    save_file(whole, tmp_path / "whole.safetensors")
    visual = ("visual.", "logit")
    save_file(
        {name: value for name, value in whole.items() if not name.startswith(visual)},
        tmp_path / "text.safetensors",
    )
    sources = [
        OpenClipText(plain_clip, str(tmp_path / f"{n}.safetensors")) for n in ("whole", "text")
    ]
    assert sources[0].fingerprint() == sources[1].fingerprint()


def test_weights_that_are_not_named(plain_clip):
    assert default_weights("ViT-B-16") == "openai"
    assert default_weights("tiny") is None
    assert default_weights("local-dir:somewhere") is None
    with pytest.raises(ConfigError, match=r"--pretrained: one of .*laion2b_s32b_b79k.*file"):
        default_weights("ViT-H-14")
    with pytest.raises(ConfigError, match="--pretrained: a weight file"):
        default_weights(plain_clip)


def test_merged_tables_have_each_name_once(tmp_path):
    unit = torch.eye(3)
    one = saved(tmp_path / "one", ["sky", "car"], unit[:2].contiguous(), source="here")
    other = saved(
        tmp_path / "other", ["car", "dog"], 2 * unit[1:].half().contiguous(),
        source="there", weights="1f",
    )  # fmt: skip
    write_table(tmp_path / "all", *merge([one, other]))
    merged = LabelTable(tmp_path / "all")
    assert merged.names == ["sky", "car", "dog"]
    assert torch.equal(torch.stack(list(merged.vectors.values())), unit)
    told = {"model": "ViT-B-16", "pretrained": "openai", "template": "a photo of a {}"}
    labels = merged.metadata.pop("labels")
    assert merged.metadata == {**told, "source": "here; there", "weights": "1f"}
    assert json.loads(labels) == merged.names


OTHER = {
    "model": ({"model": "ViT-B-32"}, "their model is 'ViT-B-16' and 'ViT-B-32'"),
    "weights": ({"pretrained": "laion400m_e32"}, "their pretrained is"),
    "template": ({"template": "a {}"}, "their template is"),
    "hash of the weights": ({"weights": "other"}, "their weights is"),
    "nothing told": ({"model": None, "template": None}, "does not say its model and template"),
}


@pytest.mark.parametrize(("changed", "said"), OTHER.values(), ids=OTHER.keys())
def test_tables_that_cannot_be_compared_are_not_merged(tmp_path, changed, said):
    one = saved(tmp_path / "one", ["sky"], torch.eye(3)[:1].contiguous(), weights="mine")
    other = saved(
        tmp_path / "other",
        ["dog"],
        torch.eye(3)[1:2].contiguous(),
        **{"weights": "mine", **changed},
    )
    with pytest.raises(LabelError, match=said):
        merge([one, other])
    with pytest.raises(LabelError, match=r"does not say|cannot be compared"):
        merge([other, one])


def test_tables_of_another_width_are_not_merged(tmp_path):
    one = saved(tmp_path / "one", ["sky"], torch.eye(3)[:1].contiguous())
    other = saved(tmp_path / "other", ["dog"], torch.eye(4)[:1].contiguous())
    with pytest.raises(LabelError, match=r"3 wide, .*other 4"):
        merge([one, other])


def test_a_name_with_two_vectors_is_refused(tmp_path):
    one = saved(tmp_path / "one", ["sky", "car"], torch.eye(3)[:2].contiguous())
    other = saved(tmp_path / "other", ["car"], torch.tensor([[0.0, 1, 0.1]]))
    with pytest.raises(LabelError, match=r"another vector for 'car'.*cosine to theirs is 0\.995"):
        merge([one, other])
