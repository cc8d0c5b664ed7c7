"""Words that a table lacks, and the text encoder that made it: a real small CLIP."""

import json
import shutil
import warnings

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import LabelError, LSegWarning
from lseg.text.clip import OpenClipText
from lseg.text.encoder import LabelEncoder
from lseg.text.words import TableWords

CPU = torch.device("cpu")
NAMES = ["sky", "car", "tree", "person", "traffic light", "dog"]
TEMPLATE = "a photo of a {}"


def encoded(folder, names, *templates):
    source = OpenClipText(f"local-dir:{folder}", None)
    return F.normalize(
        sum(source.encode([template.replace("{}", name) for name in names], CPU)
            for template in templates), dim=-1,
    )  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """Writes a table with these metadata."""

    def save(vectors, names=NAMES, **metadata):
        path = tmp_path / "table.safetensors"
        save_file({"embeddings": vectors}, path, {**metadata, "labels": json.dumps(names)})
        return path

    return save


@pytest.fixture
def told(clip_folder):
    return {"model": f"local-dir:{clip_folder}", "pretrained": "", "template": TEMPLATE}


@pytest.fixture
def path(clip_folder, write, told):
    return write(encoded(clip_folder, NAMES, TEMPLATE), **told)


def label_encoder(path):
    return LabelEncoder(TextConfig(table=str(path)), 32)


def test_a_word_in_another_spelling_has_the_vector_of_the_name(path):
    words = TableWords(path)
    encoder = label_encoder(path)
    found = encoder.encode(["automobiles", "The Sky", "dog"])
    assert torch.equal(found, torch.stack([words.vectors[name] for name in ("car", "sky", "dog")]))
    assert encoder.notes(["automobiles", "The Sky", "dog"]) == [
        '"automobiles" answered as "car"',
        '"The Sky" answered as "sky"',
    ]
    assert "encoder" not in encoder.source.__dict__  # it was not needed


def test_a_word_that_the_table_lacks_is_encoded_as_the_table_was(path, clip_folder):
    encoder = label_encoder(path)
    found = encoder.encode(["unicorn", "car", "bycicle"])
    other = encoded(clip_folder, ["unicorn", "bycicle"], TEMPLATE)
    torch.testing.assert_close(found[[0, 2]], other, atol=1e-6, rtol=0)
    assert torch.equal(found[1], TableWords(path).vectors["car"])
    (note,) = encoder.notes(["unicorn", "car"])
    assert note.startswith('"unicorn" is not in table.safetensors, encoded by local-dir:')


def test_a_misspelt_word_is_encoded_as_it_is_and_the_right_one_suggested(path, clip_folder):
    encoder = label_encoder(path)
    found = encoder.encode(["persson"])
    expected = encoded(clip_folder, ["persson"], TEMPLATE)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert encoder.notes(["persson"])[0].endswith(': did you mean "person"?')


def test_several_templates_are_averaged(clip_folder, write, told):
    templates = [TEMPLATE, "{}"]
    vectors = encoded(clip_folder, NAMES, *templates)
    path = write(vectors, **{**told, "template": json.dumps(templates)})
    found = label_encoder(path).encode(["unicorn"])
    expected = encoded(clip_folder, ["unicorn"], *templates)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_a_table_of_half_precision_agrees_with_its_encoder(clip_folder, write, told):
    path = write(encoded(clip_folder, NAMES, TEMPLATE).half(), **told)
    assert label_encoder(path).encode(["unicorn"]).shape == (1, 32)


def test_a_weight_file_and_a_folder_are_found_beside_the_table(
    plain_clip, tower, clip_folder, write, tmp_path, monkeypatch
):
    monkeypatch.chdir("/")
    source = OpenClipText(plain_clip, str(tower))
    vectors = source.encode(NAMES, CPU)
    path = write(vectors, model=plain_clip, pretrained=tower.name, template="{}")
    torch.testing.assert_close(
        label_encoder(path).encode(["unicorn"]), source.encode(["unicorn"], CPU)
    )
    vectors = encoded(clip_folder, NAMES, "{}")
    path = write(vectors, model=f"local-dir:{clip_folder.name}", pretrained="", template="{}")
    assert label_encoder(path).encode(["unicorn"]).shape == (1, 32)


CANNOT = {
    "another template": ({"template": "{}"}, "other vectors than the table has"),
    "a template for people": (
        {"template": "templates, averaged ('a photo of {article} {}.', 'a {}', ...)"},
        "does not say with which template",
    ),
    "no template": ({"template": ""}, "does not say with which template"),
    "no model": ({"model": ""}, "does not say which model"),
    "a folder that is gone": ({"model": "local-dir:gone"}, "there is no folder"),
    "a dino.txt that is gone": ({"model": "dinotxt:gone.pth"}, r"there is no file .*gone\.pth"),
    "a file that is gone": (
        {"model": "ViT-B-32", "pretrained": "gone.pt"}, r"there is no .*gone\.pt",
    ),
    "nothing cached": ({"model": "ViT-B-16", "pretrained": "openai"}, "HF_HUB_OFFLINE forbids"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "reason"), CANNOT.values(), ids=CANNOT.keys())
def test_where_the_encoder_is_not_to_be_had_the_error_says_why(
    clip_folder, write, told, changed, reason
):
    path = write(encoded(clip_folder, NAMES, TEMPLATE), **{**told, **changed})
    encoder = label_encoder(path)
    for label in ("trafic light", "sky|trafic light", "unicorn"):  # also the second time
        with pytest.raises(LabelError, match=reason) as caught:
            encoder.encode(["sky", label])
        message = str(caught.value)
        assert "not among the 6 of table.safetensors" in message
        assert "\n" not in message
        (nearest,) = [part for part in message.split("; ") if part.startswith("nearest: ")]
        assert nearest.count('"') == 10
        assert label == "unicorn" or nearest.startswith('nearest: "traffic light", ')
    assert encoder.encode(["sky", "Dogs"]).shape == (2, 32)


def test_the_error_names_the_command_that_makes_vectors(clip_folder, write):
    told = {"model": "ViT-B-16", "pretrained": "openai", "template": TEMPLATE}
    path = write(encoded(clip_folder, NAMES, TEMPLATE), **told)
    command = (
        "lseg labels encode 'old mill' --clip-model ViT-B-16 --pretrained openai "
        "--template 'a photo of a {}' --out FILE"
    )
    with pytest.raises(LabelError) as caught:
        label_encoder(path).encode(["old mill"])
    assert command in str(caught.value)


@pytest.mark.parametrize("change", ["weights", "width"])
def test_other_weights_than_the_table_s_are_not_mixed_with_it(clip_folder, path, tmp_path, change):
    """The folder holds another model now."""
    config = json.loads((clip_folder / "open_clip_config.json").read_text())
    if change == "width":
        config["model_cfg"]["embed_dim"] = 24
        (clip_folder / "open_clip_config.json").write_text(json.dumps(config))
    import open_clip

    torch.manual_seed(1)
    net = open_clip.model.CLIP(**config["model_cfg"])
    save_file(net.state_dict(), clip_folder / "open_clip_model.safetensors")
    with pytest.raises(LabelError, match="other vectors than the table has"):
        label_encoder(path).encode(["unicorn"])


def test_what_cannot_be_had_once_is_not_asked_for_again(path, clip_folder):
    shutil.move(clip_folder, f"{clip_folder}.away")
    encoder = label_encoder(path)
    with pytest.raises(LabelError, match="no folder"):
        encoder.encode(["unicorn"])
    shutil.move(f"{clip_folder}.away", clip_folder)
    with pytest.raises(LabelError, match="no folder"):
        encoder.encode(["griffin"])


def test_labels_that_are_one_word_of_the_table_are_refused_with_the_reason(path):
    encoder = label_encoder(path)
    with pytest.raises(LabelError) as caught:
        encoder.encode(["automobile", "sky", "car"])
    message = str(caught.value)
    assert "'automobile' and 'car' are one and the same" in message
    assert '"automobile" answered as "car"' in message
    with pytest.raises(LabelError, match="'Cars' and 'automobiles' are one"):
        encoder.encode(["Cars", "automobiles"])


def test_spellings_of_one_word_count_once_among_the_synonyms_of_a_label(path):
    encoder = label_encoder(path)
    assert torch.equal(encoder.encode(["car|Cars|tree"]), encoder.encode(["car|tree"]))
    assert encoder.notes(["car|Cars|tree"]) == ['"Cars" answered as "car"']


def test_notes_are_warnings_of_this_project(path):
    encoder = label_encoder(path)
    with pytest.warns(LSegWarning, match='"automobile" answered as "car"'):
        encoder.warn_of_notes(["automobile"])
    with warnings.catch_warnings(action="error"):
        encoder.warn_of_notes(["car", "sky"])


def test_what_is_known_is_told_without_loading_anything(path):
    encoder = label_encoder(path)
    assert encoder.knows("sky|Automobiles")
    assert not encoder.knows("sky|unicorn")
    assert "encoder" not in encoder.source.__dict__
