"""LSeg ViT-B/32 as its authors published it, from the file to its answers."""

import argparse
import json
import resource
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from official import blank, recognised
from reference import fill, half_precision, image, manifest, outputs
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from torch.testing import assert_close

from lseg.checkpoints.load import load_model
from lseg.convert.checkpoint import convert
from lseg.text.encoder import LabelEncoder

NAME = "lseg_clip_vitb32_384"


@pytest.fixture(scope="module")
def stored():
    return outputs(NAME)


@pytest.fixture(scope="module")
def original():
    """LSeg ViT-B/32 as it was published: CLIP in half precision (its image side empty here)."""
    half = half_precision(NAME)
    weights = {}
    for key, shape in manifest(NAME).items():
        if key.startswith("net.clip_pretrained.visual."):
            weights[key] = torch.zeros(()).expand(shape)
        else:
            weights[key] = fill(key, shape)
        if key in half:
            weights[key] = weights[key].half()
    return weights


def resident():
    """Bytes of memory that this process has now, those of mapped files among them."""
    return resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[1])


class PeakMemory(threading.Thread):
    """The most memory that this process has while the context is open, over what it had before."""

    def __init__(self):
        super().__init__(daemon=True)
        self.before = self.most = resident()
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.002):
            self.most = max(self.most, resident())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.join()

    @property
    def grown(self):
        return self.most - self.before


@pytest.fixture(scope="module")
def peak():
    """How much memory the conversion took, over the size of the file."""
    return {}


@pytest.fixture(scope="module")
def folder(original, peak, tmp_path_factory):
    """The file of the authors and its conversion, removed in the end: they are large."""
    place = tmp_path_factory.mktemp("full")
    file = place / "demo.ckpt"
    options = argparse.Namespace(backbone="clip_vitb32_384", path=Path("data"))
    torch.save({"epoch": 3, "state_dict": original, "hyper_parameters": options}, file)
    with PeakMemory() as memory:
        convert(file, place / "out")
    peak["ratio"] = memory.grown / file.stat().st_size
    yield place / "out"
    shutil.rmtree(place)


def test_no_weight_is_in_memory_twice(folder, peak):
    assert 0.1 < peak["ratio"] < 1.2  # weights of the file are mapped, and written from there


def test_a_full_size_file_becomes_a_folder_with_its_text_encoder(folder, original):
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "config.json", "conversion.json", "model.safetensors", "text_encoder.safetensors",
    ]  # fmt: skip
    told = json.loads((folder / "conversion.json").read_text())
    text, weights = (
        load_file(folder / f"{name}.safetensors") for name in ("text_encoder", "model")
    )
    assert len(text) + len(weights) + len(told["dropped"]) == len(original)
    for key, tensor in text.items():
        theirs = original[f"net.clip_pretrained.{key}"]
        assert tensor.dtype == theirs.dtype
        assert torch.equal(tensor, theirs)
    theirs = original["net.pretrained.model.blocks.11.attn.qkv.weight"]
    assert torch.equal(weights["trunk.backbone.vit.blocks.11.attn.qkv.weight"], theirs)


@torch.no_grad()
def test_the_folder_gives_the_outputs_of_the_original(folder, stored):
    model = load_model(folder)
    embeddings = model.encode_image(image(384, 384, seed=1))
    found = embeddings[:, ::32, ::16, ::16].numpy()
    assert np.abs(found - stored["384x384_l20_head1"]).max() < 1e-4


def test_half_precision_text_weights_answer_label_strings_offline(folder, stored, monkeypatch):
    import open_clip

    def no_download(*arguments, **options):
        raise AssertionError("asked for weights")

    monkeypatch.setattr(open_clip, "create_model", no_download)
    vectors = load_model(folder).encode_labels(list(stored["labels20"]))
    assert vectors.dtype == torch.float32
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(20), atol=1e-5)
    wanted = F.normalize(torch.from_numpy(stored["text_features20"]), dim=-1)
    assert (vectors - wanted).abs().max() < 1e-3  # rounding of the weights


def test_full_precision_text_weights_give_the_vectors_of_the_original(stored, tmp_path):
    weights = blank(NAME)
    for key in weights:
        if key.startswith("clip_pretrained.") and ".visual." not in key:
            weights[key] = fill(f"net.{key}", weights[key].shape)
    conversion = recognised(weights)
    save_file(conversion.text, tmp_path / "text.safetensors")
    encoder = LabelEncoder(conversion.config.text, 512)
    encoder.tower = tmp_path / "text.safetensors"
    vectors = encoder.encode(list(stored["labels20"]))
    wanted = F.normalize(torch.from_numpy(stored["text_features20"]), dim=-1)
    assert (vectors - wanted).abs().max() < 1e-5


@torch.no_grad()
def test_saving_again_keeps_weights_text_encoder_and_outputs(folder, tmp_path):
    model = load_model(folder)
    again = tmp_path / "again"
    try:
        model.save_pretrained(again)
        assert sorted(path.name for path in again.iterdir()) == [
            "config.json", "model.safetensors", "text_encoder.safetensors",
        ]  # fmt: skip
        for name in ("model", "text_encoder"):
            ours, theirs = (load_file(f / f"{name}.safetensors") for f in (again, folder))
            assert list(ours) == list(theirs)
            assert all(ours[key].dtype == theirs[key].dtype for key in ours)
            assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        other = load_model(again)
        assert other.config == model.config
        labels, pixels = ["sky", "road|street", "other"], torch.randn(1, 3, 64, 96)
        assert torch.equal(other.encode_labels(labels), model.encode_labels(labels))
        assert_close(other(pixels, labels), model(pixels, labels), rtol=0, atol=1e-6)
    finally:
        shutil.rmtree(again, ignore_errors=True)
