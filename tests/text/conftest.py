"""A small real CLIP, and a cache of each test's own."""

import json

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from lseg.text.tower import empty_text_tower

ARCHITECTURE = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32},
    "text_cfg": {
        "context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
    },
}  # fmt: skip

NAMES = ["sky", "road", "potted plant", "person", "man"]


@pytest.fixture
def clip_folder(tmp_path):
    """A real open_clip model, 32 wide, one layer, in a folder of its own."""
    torch.manual_seed(0)
    config = {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16,
        },
        "text_cfg": {
            "context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
        },
    }  # fmt: skip
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    net = open_clip.model.CLIP(**config)
    save_file(net.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def plain_clip(tmp_path):
    """Name of an architecture that open_clip knows with plain and with quick GELU."""
    folder = tmp_path / "configs"
    folder.mkdir()
    for name, quick in (("tiny-text-test", False), ("tiny-text-test-quickgelu", True)):
        (folder / f"{name}.json").write_text(json.dumps(ARCHITECTURE | {"quick_gelu": quick}))
    open_clip.add_model_config(folder)
    return "tiny-text-test"


@pytest.fixture
def tower(plain_clip, tmp_path):
    """A file with the weights of its text tower alone."""
    path = tmp_path / "text_encoder.safetensors"
    save_file(empty_text_tower(plain_clip).state_dict(), path)
    return path


@pytest.fixture
def table(tmp_path):
    """A label-embedding table of vectors that are no unit vectors, and those vectors."""
    vectors = 3 * torch.randn(len(NAMES), 8)
    path = tmp_path / "labels.safetensors"
    save_file({"embeddings": vectors}, path, metadata={"labels": json.dumps(NAMES)})
    return path, dict(zip(NAMES, F.normalize(vectors, dim=-1), strict=True))
