import dataclasses
import json
import math
import os
import resource

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import ConfigError, LabelError
from lseg.models.lseg import LSeg
from lseg.text.encoder import LabelEncoder, LabelTable, OpenClipText

NAMES = ["sky", "road", "potted plant", "person", "man"]


@pytest.fixture
def table(tmp_path):
    """A label-embedding table of vectors that are no unit vectors, and those vectors."""
    vectors = 3 * torch.randn(len(NAMES), 8)
    path = tmp_path / "labels.safetensors"
    save_file({"embeddings": vectors}, path, metadata={"labels": json.dumps(NAMES)})
    return path, dict(zip(NAMES, F.normalize(vectors, dim=-1), strict=True))


class Counting:
    """A text source that remembers what it was asked for."""

    def __init__(self, source):
        self.source, self.key, self.templates = source, source.key, source.templates
        self.asked = []

    def answer(self, name):
        return self.source.answer(name)

    def encode(self, prompts, device):
        self.asked.append(list(prompts))
        return self.source.encode(prompts, device)


def open_source(folder):
    return OpenClipText(f"local-dir:{folder}", None)


def reference(folder, prompts):
    """What open_clip itself says."""
    net = open_clip.create_model(f"local-dir:{folder}").eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(prompts)
    with torch.no_grad():
        return F.normalize(net.encode_text(tokens), dim=-1)


# Tables


def test_table_gives_unit_vectors_in_the_order_asked(table):
    path, vectors = table
    source = LabelTable(path)
    found = source.encode(["person", "sky", "person"], torch.device("cpu"))
    assert found.dtype == torch.float32
    expected = torch.stack([vectors["person"], vectors["sky"], vectors["person"]])
    torch.testing.assert_close(found, expected)


def test_table_of_half_precision_is_read_as_float32(tmp_path):
    save_file(
        {"embeddings": torch.randn(1, 8).half()}, tmp_path / "t", metadata={"labels": '["sky"]'}
    )
    found = LabelTable(tmp_path / "t").encode(["sky"], torch.device("cpu"))
    assert found.dtype == torch.float32
    assert found.norm().item() == pytest.approx(1, abs=1e-6)


def test_label_that_a_table_lacks_is_an_error_with_the_closest(table):
    with pytest.raises(LabelError, match=r"'potted plants' is not among the 5.*potted plant"):
        LabelTable(table[0]).encode(["potted plants"], torch.device("cpu"))
    with pytest.raises(LabelError, match=r"'zzz' is not among the 5.*sky"):
        LabelTable(table[0]).encode(["zzz"], torch.device("cpu"))


def write_text(path):
    path.write_text("sky\nroad\n")


def write_other_tensor(path):
    save_file({"weight": torch.zeros(2, 8)}, path, metadata={"labels": '["a", "b"]'})


def write_no_metadata(path):
    save_file({"embeddings": torch.zeros(2, 8)}, path)


def write_bad_json(path):
    save_file({"embeddings": torch.zeros(2, 8)}, path, metadata={"labels": "a, b"})


def write_no_list(path):
    save_file({"embeddings": torch.zeros(2, 8)}, path, metadata={"labels": "2"})


def write_too_few_names(path):
    save_file({"embeddings": torch.zeros(2, 8)}, path, metadata={"labels": '["a"]'})


def write_one_dimension(path):
    save_file({"embeddings": torch.zeros(2)}, path, metadata={"labels": '["a", "b"]'})


@pytest.mark.parametrize(
    "write",
    [
        write_text,
        write_other_tensor,
        write_no_metadata,
        write_bad_json,
        write_no_list,
        write_too_few_names,
        write_one_dimension,
        lambda path: path.mkdir(),
        lambda path: None,
    ],
)
def test_file_that_is_no_table_is_an_error_that_names_it(tmp_path, write):
    path = tmp_path / "wrong.safetensors"
    write(path)
    with pytest.raises(LabelError, match=r"wrong\.safetensors"):
        LabelTable(path)


def save_table(path, names):
    save_file({"embeddings": torch.eye(8)[: len(names)].contiguous()}, path, {
        "labels": json.dumps(names)
    })  # fmt: skip


@pytest.mark.parametrize("names", [["sky", "road", "sky"], ["caf\u00e9", "cafe\u0301"]])
def test_a_table_that_has_a_name_twice_is_refused(tmp_path, names):
    save_table(tmp_path / "twice.safetensors", names)
    with pytest.raises(LabelError, match=rf"'{names[0]}' occurs more than once.*twice"):
        LabelTable(tmp_path / "twice.safetensors")


def test_names_of_a_table_are_found_in_any_spelling_of_the_same(tmp_path):
    save_table(tmp_path / "t", ["cafe\u0301", "traffic  light"])
    encoder = LabelEncoder(TextConfig(table=str(tmp_path / "t")), 8)
    assert torch.equal(encoder.encode(["caf\u00e9", "traffic light"]), torch.eye(8)[:2])


def test_relative_table_is_found_beside_the_file_that_names_it(table, monkeypatch, tmp_path):
    path, vectors = table
    monkeypatch.chdir(tmp_path_of(tmp_path, "elsewhere"))
    encoder = LabelEncoder(TextConfig(table=path.name), 8)
    encoder.folder = path.parent
    torch.testing.assert_close(encoder.encode(["sky"])[0], vectors["sky"])


def tmp_path_of(folder, name):
    (folder / name).mkdir()
    return folder / name


def test_table_of_the_config_is_found_under_lseg_data(table, monkeypatch):
    path, vectors = table
    monkeypatch.setenv("LSEG_DATA", str(path.parent))
    encoder = LabelEncoder(TextConfig("", None, table=path.name), 8)
    torch.testing.assert_close(encoder.encode(["sky"])[0], vectors["sky"])


def test_table_takes_names_without_templates_and_is_not_cached(table, own_cache):
    path, vectors = table
    encoder = LabelEncoder(TextConfig(table=str(path), templates=("a photo of {}",)), 8)
    torch.testing.assert_close(encoder.encode(["road"])[0], vectors["road"])
    assert not own_cache.exists()


# Labels to vectors


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


# The disk cache


def test_second_encoder_reads_the_cache(clip_folder):
    config = TextConfig()
    source = Counting(open_source(clip_folder))
    first = LabelEncoder(config, 32, source).encode(["sky", "road", "sky"])
    assert source.asked == [["sky", "road"]]
    again = Counting(open_source(clip_folder))
    second = LabelEncoder(config, 32, again)
    assert torch.equal(second.encode(["sky", "road", "sky"]), first)
    assert again.asked == []
    second.encode(["sky", "tree"])
    assert again.asked == [["tree"]]


def test_one_encoder_asks_once_even_without_a_cache(table):
    source = Counting(LabelTable(table[0]))
    encoder = LabelEncoder(TextConfig(), 8, source)
    encoder.encode(["sky", "road"])
    encoder.encode(["road", "sky|road"])
    assert source.asked == [["sky", "road"]]


def test_other_templates_do_not_share_vectors(clip_folder):
    source = open_source(clip_folder)
    plain = LabelEncoder(TextConfig(), 32, source).encode(["sky"])
    photo = LabelEncoder(TextConfig(templates=("a photo of {}",)), 32, source).encode(["sky"])
    assert (plain - photo).abs().max() > 1e-3


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08" + 7 * b"\0" + b"not json"])
def test_corrupt_cache_file_is_encoded_again(clip_folder, own_cache, content):
    first = LabelEncoder(TextConfig(), 32, open_source(clip_folder)).encode(["sky"])
    (file,) = own_cache.rglob("*.safetensors")
    file.write_bytes(content)
    source = Counting(open_source(clip_folder))
    assert torch.equal(LabelEncoder(TextConfig(), 32, source).encode(["sky"]), first)
    assert source.asked == [["sky"]]
    assert load_file(file)["vector"].shape == (32,)


def test_cache_that_cannot_be_written_only_costs_time(clip_folder, own_cache):
    own_cache.write_text("a file where a folder should be")
    encoder = LabelEncoder(TextConfig(), 32, open_source(clip_folder))
    assert encoder.encode(["sky"]).shape == (1, 32)


@pytest.mark.parametrize("variable", ["LSEG_CACHE", "XDG_CACHE_HOME", "HOME"])
@pytest.mark.parametrize("place", ["/dev/null/cache", "n" * 300])
def test_a_place_where_nothing_can_be_written_only_costs_time(
    clip_folder, monkeypatch, variable, place
):
    for name in ("LSEG_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, place)
    encoder = LabelEncoder(TextConfig(), 32, open_source(clip_folder))
    assert encoder.encode(["sky"]).shape == (1, 32)


def test_a_full_disk_only_costs_time(clip_folder, own_cache):
    """The system refuses to write more than some bytes; safetensors has an error of its own."""
    encoder = LabelEncoder(TextConfig(), 32, open_source(clip_folder))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        assert encoder.encode(["sky"]).shape == (1, 32)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_no_partial_files_stay_behind(clip_folder, own_cache):
    LabelEncoder(TextConfig(), 32, open_source(clip_folder)).encode(["sky", "road"])
    names = [path.name for path in own_cache.rglob("*") if path.is_file()]
    assert len(names) == 2
    assert all(name.endswith(".safetensors") for name in names)


def test_changed_weights_change_the_key_and_the_vectors(clip_folder):
    before = open_source(clip_folder)
    old = LabelEncoder(TextConfig(), 32, before).encode(["sky"])
    path = clip_folder / "open_clip_model.safetensors"
    state = load_file(path)
    state["text_projection"] = torch.randn(32, 32) / math.sqrt(32)
    save_file(state, path)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))
    after = open_source(clip_folder)
    assert after.key != before.key
    new = LabelEncoder(TextConfig(), 32, after).encode(["sky"])
    assert (new - old).abs().max() > 1e-2
    torch.testing.assert_close(new, reference(clip_folder, ["sky"]), atol=1e-6, rtol=0)


def test_unchanged_weights_keep_the_key(clip_folder):
    assert open_source(clip_folder).key == open_source(clip_folder).key
