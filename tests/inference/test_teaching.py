"""Teaching by example, with the tiny networks of `test_segmenter`."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lseg.config import LSegConfig, Preprocessing, TextConfig, TrunkConfig
from lseg.data.sets.pairs import PairsDataset
from lseg.errors import CheckpointError, ImageError, LabelError
from lseg.inference.memory import Memory
from lseg.inference.segmenter import Segmenter
from lseg.inference.views import InferenceConfig
from lseg.memory.drawing import draw, occurrences
from lseg.memory.marks import Box, Strokes
from lseg.models.lseg import LSeg

WIDTH, NAMES = 16, ["sky", "road", "tree", "other"]
VIT = {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64}


@pytest.fixture(params=["conv", "vit"])
def model(request, tmp_path):
    path = tmp_path / "table.safetensors"
    vectors = torch.nn.functional.normalize(torch.randn(len(NAMES), WIDTH), dim=-1)
    save_file({"embeddings": vectors}, path, metadata={"labels": json.dumps(NAMES)})
    if request.param == "conv":
        parts = ("resnet10t", {"channels": [8, 8, 16, 16]}, (1, 2, 3, 4), (8, 8, 16, 16), "ignore")
    else:
        parts = ("vit_tiny_patch16_224", VIT, (0, 1, 2, 3), (8, 8, 16, 16), "project")
    text = TextConfig(table=str(path))
    config = LSegConfig(TrunkConfig(*parts, 8), Preprocessing(size=64), text, embed_dim=WIDTH)
    return LSeg(config).eval()


one_model = pytest.mark.parametrize("model", ["conv"], indirect=True)


@pytest.fixture
def segmenter(model):
    return Segmenter(model)


def scene(seed=0, size=96):
    """A grey picture with a disc in it, and where the disc is."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(30, size - 30, 2)
    rows, columns = np.mgrid[:size, :size]
    disc = (rows - y) ** 2 + (columns - x) ** 2 < 22**2
    picture = np.full((size, size, 3), 120.0)
    picture[disc] = (220, 40, 40)
    return (picture + rng.normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8), disc


def overlap(segmenter, label, labels, mask):
    found = segmenter.segment(labels).label_map == labels.index(label)
    return (found & mask).sum() / (found | mask).sum()


def test_what_was_shown_is_found_in_another_picture(segmenter):
    for seed in range(3):
        picture, mask = scene(seed)
        segmenter.set_image(picture)
        segmenter.teach("sky", mask)
    other, truth = scene(7)
    segmenter.set_image(other)
    taught = overlap(segmenter, "sky", ["sky", "road", "other"], truth)
    segmenter.forget("sky")
    assert taught > overlap(segmenter, "sky", ["sky", "road", "other"], truth) + 0.1


def test_a_label_that_text_does_not_know_is_found_by_its_looks(segmenter):
    with pytest.raises(LabelError):
        segmenter.question(["my mug", "other"])
    for seed in range(3):
        picture, mask = scene(seed)
        segmenter.set_image(picture)
        segmenter.teach("my mug", mask)
    picture, truth = scene(7)
    segmenter.set_image(picture)
    assert overlap(segmenter, "my mug", ["my mug", "other"], truth) > 0.5


def test_after_forgetting_answers_are_those_of_text_alone(segmenter):
    picture, mask = scene()
    segmenter.set_image(picture)
    before = segmenter.segment(NAMES).scores
    segmenter.teach("sky", mask)
    assert not np.array_equal(segmenter.segment(NAMES).scores, before)
    segmenter.forget("sky")
    assert np.array_equal(segmenter.segment(NAMES).scores, before)
    with pytest.raises(LabelError, match="no example of 'sky'"):
        segmenter.forget("sky")


def test_labels_that_are_not_asked_for_change_nothing(segmenter):
    picture, mask = scene()
    segmenter.set_image(picture)
    before = segmenter.segment(["road", "tree"]).scores
    segmenter.teach("sky", mask)
    assert np.array_equal(segmenter.segment(["road", "tree"]).scores, before)


@one_model
def test_the_order_of_examples_and_a_file_between_change_no_bit(model, tmp_path):
    shown = [(*scene(seed), label) for seed, label in enumerate(["sky", "road", "sky", "my mug"])]
    memories = [Memory(model), Memory(model)]
    for memory, order in zip(memories, (shown, reversed(shown)), strict=True):
        for picture, mask, label in order:
            memory.add(picture, mask, label)
    path = tmp_path / "m.safetensors"
    memories[0].save(path)
    memories.append(Memory.load(path, model))
    picture, _ = scene(9)
    scores = []
    for memory in memories:
        segmenter = Segmenter(model, memory=memory)
        segmenter.set_image(picture)
        scores.append(segmenter.segment(["sky", "road", "my mug", "other"]).scores)
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[2])
    again = tmp_path / "again.safetensors"
    memories[2].save(again)
    assert again.read_bytes() == path.read_bytes()


@one_model
def test_a_memory_of_other_weights_is_refused(model, tmp_path):
    Memory(model).save(tmp_path / "m.safetensors")
    assert Memory.load(tmp_path / "m.safetensors", model).labels == []
    with torch.no_grad():
        model.project.bias[0] += 1
    with pytest.raises(CheckpointError, match="made with other weights"):
        Memory.load(tmp_path / "m.safetensors", model)
    (tmp_path / "x.safetensors").write_bytes(b"no memory")
    with pytest.raises(CheckpointError, match="is no memory of examples"):
        Memory.load(tmp_path / "x.safetensors", model)
    with pytest.raises(CheckpointError, match="there is no memory"):
        Memory.load(tmp_path / "none.safetensors", model)


@one_model
@pytest.mark.parametrize(
    "config",
    [
        InferenceConfig(),
        InferenceConfig(scales=(0.75, 1.25), flip=True),
        InferenceConfig(window=48),
    ],
)
def test_every_way_to_show_a_picture_uses_the_examples(model, config):
    segmenter = Segmenter(model)
    picture, mask = scene()
    segmenter.set_image(picture)
    segmenter.teach("sky", mask)
    found = segmenter.segment_image(picture, ["sky", "road"], config).label_map == 0
    assert (found & mask).sum() / (found | mask).sum() > 0.5
    if config == InferenceConfig():
        assert np.array_equal(found, segmenter.segment(["sky", "road"]).label_map == 0)


@one_model
def test_boxes_strokes_and_points_teach_too(model):
    picture, mask = scene()
    rows, columns = mask.nonzero()
    box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    middle = (int(columns.mean()), int(rows.mean()))
    stroke = Strokes([[middle, (middle[0] + 12, middle[1])]])
    for marks in (box, stroke, [middle]):
        segmenter = Segmenter(model)
        segmenter.set_image(picture)
        segmenter.teach("sky", marks)
        found = segmenter.segment(["sky", "road"]).label_map == 0
        assert found[middle[1], middle[0]]
        assert (found & mask).sum() > 0.5 * mask.sum()


@one_model
def test_what_cannot_be_taught_is_refused(model):
    segmenter = Segmenter(model)
    picture, mask = scene()
    with pytest.raises(ImageError, match="set_image first"):
        segmenter.teach("sky", mask)
    segmenter.set_image(picture)
    with pytest.raises(LabelError, match="is empty"):
        segmenter.teach("  ", mask)
    with pytest.raises(ImageError, match="nothing in picture is marked as 'sky'"):
        segmenter.teach("sky", np.zeros_like(mask))


@one_model
def test_a_pairs_folder_becomes_examples_of_its_classes(model, tmp_path):
    (tmp_path / "classes.txt").write_text("ground\ndisc\n")
    lines = []
    for seed in range(4):
        picture, mask = scene(seed)
        Image.fromarray(picture).save(tmp_path / f"{seed}.png")
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / f"{seed}_mask.png")
        lines.append(f"{seed}.png {seed}_mask.png")
    (tmp_path / "train.txt").write_text("\n".join(lines))
    memory = Memory.from_pairs(model, tmp_path, shots=2, prompts={"ground": "road", "disc": "sky"})
    assert memory.labels == ["road", "sky"]
    data = PairsDataset(tmp_path, "train")
    drawn = {(data.stems[one.picture], one.cls) for one in draw(occurrences(data), 2)}
    assert {(one.source, ("road", "sky").index(one.label)) for one in memory.examples} == drawn
