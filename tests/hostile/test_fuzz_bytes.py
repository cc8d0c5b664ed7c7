"""Files of every kind with bytes changed, put in or cut off: each gives a value or one line."""

import contextlib
import io
import json
import pickle
import warnings

import numpy as np
import pytest
import torch
from fuzzing import damaged, fuzzed
from hostile import outcome
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from lseg.data.base.decoding import read_orientation, read_size
from lseg.data.base.images import load_colours, load_image, load_mask
from lseg.data.base.tar import read_index
from lseg.data.fewshot.splits import read_coco
from lseg.embedding.files import read_array
from lseg.errors import LSegError
from lseg.inference.pca import PCA
from lseg.memory.file import read_examples
from lseg.store.checkpoint import read_checkpoint
from lseg.store.foreign import read_state_dict
from lseg.text.table import LabelTable

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
KINDS = (
    "PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "TGA", "QOI", "AVIF", "JPEG2000", "ICO",
    "ICNS", "DDS", "SGI", "PCX",
)  # fmt: skip
WEIGHTS = {"state_dict": {"net.a": torch.ones(3, 2)}, "lseg_config": {"embed_dim": 8}}
MEMORY = {
    "format": "lseg memory 1", "limit": 40000, "examples": [],
    "model": {"fingerprint": "53fa", "embed_dim": 4, "levels": [1, 2], "size": 64},
}  # fmt: skip
VECTORS = {
    f"{kind}.{name}": torch.ones(0, width)
    for kind in ("shown", "rest")
    for name, width in (("embeddings", 4), ("levels", 3))
}


def picture(kind, array=PIXELS):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def saved(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def array(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


BASIS = {"components": torch.eye(2, 4), "mean": torch.zeros(4), "variance": torch.ones(2)}
FILES = {
    **{f"a.{kind.lower()}": (picture(kind), load_image) for kind in KINDS},
    "mask.png": (picture("PNG", PIXELS[..., 0]), load_mask),
    "mask.tif": (picture("TIFF", PIXELS[..., 0] > 99), load_mask),
    "mask.gif": (picture("GIF", PIXELS[..., 0]), load_colours),
    "a.ckpt": (saved(WEIGHTS), read_checkpoint),
    "a.pth": (saved(WEIGHTS), read_state_dict),
    "old.pth": (saved(WEIGHTS, _use_new_zipfile_serialization=False), read_state_dict),
    "a.safetensors": (save({"a": torch.ones(3, 2)}), read_state_dict),
    "fold.pkl": (pickle.dumps({0: ["a.jpg"], 3: ["b.jpg", "c.jpg"]}), read_coco),
    "a.npy": (array(np.zeros((4, 2, 2), np.float16)), read_array),
    "e.safetensors": (save({"embeddings": torch.zeros(4, 2, 2)}), read_array),
    "e.pt": (saved(torch.zeros(4, 2, 2)), read_array),
    "pca.safetensors": (save(BASIS, {"total": "4.0"}), PCA.load),
    "memory.safetensors": (save(VECTORS, {"memory": json.dumps(MEMORY)}), read_examples),
    "table.safetensors": (
        save({"embeddings": torch.eye(2, 4)}, {"labels": '["a", "b"]'}), LabelTable,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_bytes(tmp_path, name):
    data, read = FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    assert not isinstance(outcome(lambda: read(path)), LSegError)

    @fuzzed
    @given(damaged(data))
    def check(found):
        path.write_bytes(found)
        with warnings.catch_warnings(action="ignore"):
            outcome(lambda: read(path))
            assert read_orientation(path) in range(1, 9)
            with contextlib.suppress(OSError):  # what it says of a file that is no picture
                read_size(path)

    check()


@fuzzed
@given(st.binary(max_size=2000))
def test_archives_of_nothing(tmp_path, data):
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    outcome(lambda: read_index(path))
