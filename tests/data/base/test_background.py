"""Pixels that show none of a set's classes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lseg.data.base.mixture import MixedDataModule, MixedSet
from lseg.data.sets.pairs import PairsDataModule
from lseg.errors import ConfigError, LabelError

NAMES = ["cat", "Background", "dog"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One picture; a row of each class, and one without a label."""
    mask = np.repeat(np.array([[0], [1], [2], [255]], np.uint8), 40, axis=1).repeat(10, axis=0)
    Image.fromarray(mask).save(tmp_path / "m.png")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "i.png")
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    for split in ("train", "val"):
        (tmp_path / f"{split}.txt").write_text("i.png m.png")
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "labels", "rows", "counts"),
    [
        (None, NAMES, [0, 1, 2, 255], [400] * 3),
        ("class", NAMES, [0, 1, 2, 255], [400] * 3),
        ("other", ["cat", "other", "dog"], [0, 1, 2, 255], [400] * 3),
        ("ignore", ["cat", "dog"], [0, 255, 1, 255], [400] * 2),
        ("rest", ["cat", "dog"], [0, 255, 1, 255], [400] * 3),
    ],
)
def test_a_class_called_background_can_be_left_out_or_asked_as_other(
    folder, rule, labels, rows, counts
) -> None:
    data = PairsDataModule(folder, background=rule)
    assert data.labels == labels
    (val,) = data.val_data.values()
    assert val[0]["mask"][::10, 0].tolist() == rows
    assert val.labels == labels
    assert data.pixel_counts().tolist() == counts


def test_the_rest_has_an_index_of_its_own_in_training_and_needs_other_sets(folder) -> None:
    data = PairsDataModule(folder, background="rest")
    mask = data.train_data.folder.read(data.train_data.stems[0]).mask
    assert data.train_data.places.mask(mask, 255)[::10, 0].tolist() == [0, 2, 1, 255]
    with pytest.raises(ConfigError, match=r"for sets of a lseg\.data\.MixedDataModule"):
        _ = data.rest_labels
    others = folder.parent / "others"
    shutil.copytree(folder, others)
    (others / "classes.txt").write_text("cow\ncat\nsky\n")
    mixed = MixedDataModule(
        sets={"a": MixedSet(data=data), "b": MixedSet(data=PairsDataModule(others))}
    )
    assert mixed.rest_labels == [["cow", "sky"], []]


@pytest.mark.parametrize("rule", ["ignore", "other", "class", "rest"])
def test_a_set_without_background_has_no_rule(folder, rule) -> None:
    (folder / "classes.txt").write_text("cat\nfloor\ndog\n")
    with pytest.raises(ConfigError, match=f"background is '{rule}', but pairs has no class called"):
        _ = PairsDataModule(folder, background=rule).labels


def test_other_is_asked_for_once(folder) -> None:
    with pytest.raises(LabelError, match="'other' occurs more than once"):
        _ = PairsDataModule(folder, background="other", prompts={"dog": "other"}).labels


def test_prompts_may_be_given_in_place(folder) -> None:
    data = PairsDataModule(folder, prompts={"dog": "hound|dog"}, background="ignore")
    assert data.labels == ["cat", "hound|dog"]
    with pytest.raises(LabelError, match="the prompts given has a prompt for 'dgo'"):
        _ = PairsDataModule(folder, prompts={"dgo": "dog"}).labels
