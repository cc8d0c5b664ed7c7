"""Records that programs write, with other values in places: each gives a value or one line."""

import json

import numpy as np
import torch
from coco_trees import HEIGHT, WIDTH, instances, save_picture, thing
from fuzzing import changed, dumped, fuzzed
from hostile import outcome
from hypothesis import given
from PIL import Image
from safetensors.torch import save

from lseg.data.sets.coco_custom import CocoCustomFolder
from lseg.embedding.sidecar import Sidecar, made_with
from lseg.errors import LSegError
from lseg.evaluation.class_matching import ClassMatcher
from lseg.evaluation.comparison import compare, read_table
from lseg.evaluation.referee.label_maps import LabelMapFolder
from lseg.memory.file import read_examples
from lseg.text.origin import Origin
from lseg.text.table import LabelTable

PROTOCOL = {"dataset": "pairs", "split": "val", "ignore_index": 255, "first": 0}
FIGURES = {
    "protocol": PROTOCOL,
    "classes": ["a", "b"],
    "areas": {"p": "0 5 6 7; 1 0 2 3", "q": "1 5 5 5"},
}
BLOCK = {
    "kind": "bottleneck", "depth": 2, "activation": "relu",
    "weights": {"conv.weight": [[[[0.1, 0.2, 0.3]] * 3]], "conv.bias": [0.5]},
}  # fmt: skip
SIDECAR = {
    "weights": "abc", "embed_dim": 16, "logit_scale": 14.0, "spatial_block": BLOCK,
    "text": {
        "model": "tiny", "pretrained": None, "table": None, "templates": ["{}"], "tower": None,
    },
    "normalized": True, "layout": "CHW", "source": "a.png", "image": [48, 64],
    "network_input": [64, 85], "padding": {"input": [64, 96], "output": [32, 48]},
    "pca": {"file": "pca.safetensors"}, "checkpoint": "m",
}  # fmt: skip
MEMORY = {
    "format": "lseg memory 1", "lseg": "0.1.0", "limit": 40000,
    "model": {"fingerprint": "53fa", "embed_dim": 4, "levels": [1, 2], "size": 64},
    "examples": [{
        "label": "cup", "source": "a", "key": "b", "area": 0.1, "shown": 1, "rest": 2, "sure": True,
    }],
}  # fmt: skip
VECTORS = {
    f"{kind}.{name}": torch.ones(count, width, dtype=torch.float16)
    for kind, count in (("shown", 1), ("rest", 2))
    for name, width in (("embeddings", 4), ("levels", 3))
}
TABLE = {"labels": ["sky", "road"], "model": "tiny", "pretrained": "", "template": "a photo of {}"}
PREDICTED = {"labels": [{"index": 0, "label": "sky"}, {"index": 1, "label": "road"}], "width": 8}


@fuzzed
@given(changed(FIGURES))
def test_figures_to_compare(tmp_path, values):
    path, other = tmp_path / "a.json", tmp_path / "b.json"
    path.write_bytes(dumped(values))
    other.write_bytes(dumped(FIGURES))

    def use():
        table = read_table(path)
        json.dumps(compare(table, table).to_json())
        return compare(read_table(other), table)

    outcome(use)


@fuzzed
@given(changed(SIDECAR))
def test_sidecars(tmp_path, values):
    path = tmp_path / "a.json"
    path.write_bytes(dumped(values))
    outcome(lambda: Sidecar.read(path))
    assert made_with(path, {"embed_dim": 16, "text": SIDECAR["text"]}) in (True, False)


@fuzzed
@given(changed(MEMORY))
def test_memories(tmp_path, values):
    path = tmp_path / "memory.safetensors"
    path.write_bytes(save(VECTORS, {"memory": json.dumps(values)}))
    outcome(lambda: read_examples(path))


@fuzzed
@given(changed(TABLE))
def test_tables_of_label_vectors(tmp_path, values):
    path = tmp_path / "table.safetensors"
    told = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    } if isinstance(values, dict) else {}  # fmt: skip
    told = {key: text.encode("utf-8", "replace").decode() for key, text in told.items()}
    path.write_bytes(save({"embeddings": torch.eye(2, 16)}, told))

    def use():
        table = LabelTable(path)
        table.encode(table.names, torch.device("cpu"))
        return Origin.of(table).command

    outcome(use)


@fuzzed
@given(changed(PREDICTED))
def test_label_maps_of_others(tmp_path, values):
    Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.json").write_bytes(dumped(values))
    (tmp_path / "b.json").write_bytes(dumped(values))

    def use():
        folder = LabelMapFolder(tmp_path, ClassMatcher(["sky", "road"]))
        return [one.read() for one in folder.find("a")]

    outcome(use)


COCO = instances(
    [thing(), thing({"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}, id=9)],
    categories=[{"id": 1, "name": "person"}],
)


@fuzzed
@given(changed(COCO))
def test_coco(tmp_path, values):
    path = tmp_path / "instances.json"
    path.write_bytes(dumped(values))
    save_picture(tmp_path / "a.jpg")

    def use():
        folder = CocoCustomFolder(path)
        return [folder.mask(stem) for stem in folder.stems]

    outcome(use)


def test_none_of_the_records_is_refused_as_it_is(tmp_path):
    """So that what is changed in them is what makes the difference."""
    (tmp_path / "figures.json").write_bytes(dumped(FIGURES))
    (tmp_path / "sidecar.json").write_bytes(dumped(SIDECAR))
    (tmp_path / "memory").write_bytes(save(VECTORS, {"memory": json.dumps(MEMORY)}))
    told = {**TABLE, "labels": json.dumps(TABLE["labels"])}
    (tmp_path / "table").write_bytes(save({"embeddings": torch.eye(2, 16)}, told))
    (tmp_path / "coco.json").write_bytes(dumped(COCO))
    save_picture(tmp_path / "a.jpg")
    for read, name in (
        (read_table, "figures.json"),
        (Sidecar.read, "sidecar.json"),
        (read_examples, "memory"),
        (LabelTable, "table"),
        (CocoCustomFolder, "coco.json"),
    ):
        assert not isinstance(
            outcome(lambda read=read, name=name: read(tmp_path / name)), LSegError
        )
