"""Label vectors on the disk: encoded once, and never a reason to fail."""

import math
import os
import resource

import pytest
import torch
from safetensors.torch import load_file, save_file
from text_sources import open_source, reference

from lseg.config import TextConfig
from lseg.text.encoder import LabelEncoder
from lseg.text.table import LabelTable


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
