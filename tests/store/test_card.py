"""Model cards say what a user must know, and nothing that was not given."""

import dataclasses

from lseg.config import DepthConfig, Preprocessing, SegmentationConfig, TextConfig
from lseg.store.card import model_card


def test_the_card_of_an_lseg(config):
    text = TextConfig("ViT-B-32", "openai", templates=("a photo of {}",))
    figures = {"seen_miou": 89.75, "unseen_miou": 81.2, "train_seconds": 3, "sets": {"miou": 1}}
    card = model_card(dataclasses.replace(config, text=text), "user/model", figures, "mit")
    head, body = card.removeprefix("---\n").split("\n---\n")
    assert "license: mit" in head.splitlines()
    assert "pipeline_tag: image-segmentation" in head.splitlines()
    assert body.strip().startswith("# model\n")
    for part in (
        "knows nothing", "resnet10t", "(0.5, 0.5, 0.5)", "64 pixels", "`ViT-B-32`", "`openai`",
        "a photo of {}", "sky, road", 'from_pretrained("user/model")',
    ):  # fmt: skip
        assert part in body, part
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert rows == [
        "| figure | value |", "| --- | --- |", "| seen: mIoU, % | 89.8 |",
        "| unseen: mIoU, % | 81.2 |",
    ]  # fmt: skip


def test_what_is_not_known_is_said_to_be_unknown(config):
    card = model_card(config, "user/model")
    assert "license:" not in card
    assert "None were given." in card
    assert "Not stated" in card


def test_cards_of_the_other_networks(config):
    depth = model_card(DepthConfig(config.trunk, Preprocessing(size=384)), "user/depth")
    assert "depth-estimation" in depth
    assert "384" in depth
    labels = ("wall", "floor")
    classes = model_card(SegmentationConfig(config.trunk, labels=labels), "user/classes")
    assert "wall, floor" in classes
    assert 'lseg.load_model("user/classes")' in classes
