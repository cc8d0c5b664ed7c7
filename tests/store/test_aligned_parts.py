"""Parts of what a folder of a published encoder becomes: its licence, its scale, its text side."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Tipsv2Config

from lseg.config import TextConfig
from lseg.store.aligned.parts import card_licence
from lseg.store.aligned.text import keep_text
from lseg.store.aligned.transformers import logit_scale


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\ntags:\n- clip\nlicense: apache-2.0\n---\n# One\n", "apache-2.0"),
        ("---\ntags:\n- clip\nlicense:\n---\n# One\n", ""),
        ("---\ntags:\n- clip\n---\nlicense: mit\n", ""),
        ("license: mit\n", ""),
    ],
    ids=["named", "empty", "below the front matter", "no front matter"],
)
def test_the_licence_is_that_of_the_cards_front_matter(tmp_path, card, licence):
    (tmp_path / "README.md").write_text(card)
    assert card_licence(tmp_path) == licence


def test_a_temperature_is_one_over_the_scale():
    kind = {"model_type": "tipsv2"}
    assert logit_scale({"temperature": torch.tensor(0.02)}, kind) == pytest.approx(50)
    assert logit_scale({}, {**kind, "temperature_init_value": 0.1}) == pytest.approx(10)
    default = Tipsv2Config().temperature_init_value  # a configuration leaves it out
    assert logit_scale({}, kind) == pytest.approx(1 / default)


@pytest.mark.parametrize(
    "text",
    [TextConfig(), TextConfig("local-dir:nowhere", table="labels.safetensors")],
    ids=["a model's name", "a table"],
)
def test_a_text_side_without_a_folder_is_not_copied(tmp_path, text):
    assert keep_text(text, tmp_path / "out", None) == text
    assert not (tmp_path / "out").exists()


def test_a_text_side_is_copied_without_the_image_side(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "open_clip_config.json").write_text("{}")
    weights = {"visual.proj": torch.ones(2), "token_embedding.weight": torch.ones(3)}
    save_file(weights, source / "open_clip_model.safetensors")
    kept = keep_text(TextConfig(f"local-dir:{source}", None), tmp_path / "out", None)
    assert kept.model == "local-dir:text"
    assert (tmp_path / "out" / "text" / "open_clip_config.json").read_text() == "{}"
    copied = load_file(tmp_path / "out" / "text" / "open_clip_model.safetensors")
    assert list(copied) == ["token_embedding.weight"]
