"""The shapes world: pictures repeat exactly, agree with their masks, and folds are fair."""

from __future__ import annotations

import colorsys
from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch

from lseg.data.sets.shapes import (
    CLASSES,
    COLOURS,
    NUM_FOLDS,
    SHAPES,
    draw,
    fold_classes,
    seen_classes,
)
from lseg.data.sets.shapes_data import ShapesDataset

# Degrees on the colour circle; white has none and is told by its low saturation.
HUES = {"red": 0.0, "yellow": 53.0, "green": 132.0, "blue": 227.0, "purple": 285.0}


def test_a_key_always_gives_the_same_picture() -> None:
    first, second = (ShapesDataset(CLASSES, 8, size=64, seed=3) for _ in range(2))
    second[0], second[(4, 1)]  # what was drawn before must not matter
    for key in (5, (2, 5)):
        torch.testing.assert_close(first[key], second[key], rtol=0, atol=0)


def test_seed_epoch_and_index_each_change_the_picture() -> None:
    dataset = ShapesDataset(CLASSES, 8, size=64, seed=3)
    torch.testing.assert_close(dataset[5], dataset[(0, 5)], rtol=0, atol=0)
    others = (dataset[(1, 5)], dataset[6], ShapesDataset(CLASSES, 8, size=64, seed=4)[5])
    for other in others:
        assert not torch.equal(dataset[5]["image"], other["image"])


@pytest.mark.parametrize("size", [32, 97, 128])
def test_items_have_the_promised_form(size: int) -> None:
    dataset = ShapesDataset(seen_classes(1), 40, size=size, background="other")
    assert dataset.labels == ["other", *seen_classes(1)]
    assert dataset.ignore_index == 255
    values: set[int] = set()
    for item in (dataset[i] for i in range(len(dataset))):
        assert item["image"].shape == (3, size, size)
        assert item["image"].dtype == torch.uint8
        assert item["mask"].shape == (size, size)
        assert item["mask"].dtype == torch.int64
        values |= set(item["mask"].unique().tolist())
    assert 0 in values
    assert values <= set(range(28))
    assert len(values) > 20


def test_the_last_index_ends_iteration() -> None:
    assert len(list(ShapesDataset(CLASSES, 3, size=32))) == 3  # type: ignore[call-overload]
    with pytest.raises(IndexError):
        ShapesDataset(CLASSES, 3)[-1]


def test_folds_divide_the_classes_and_leave_every_attribute_seen() -> None:
    folds = [fold_classes(k) for k in range(NUM_FOLDS)]
    assert sorted(chain(*folds)) == sorted(CLASSES)
    for k, held in enumerate(folds):
        assert len(held) == 9
        assert not set(held) & set(seen_classes(k))
        assert len(seen_classes(k)) == 27
        assert max(Counter(word for name in held for word in name.split()).values()) <= 2
        assert {word for name in seen_classes(k) for word in name.split()} == {*COLOURS, *SHAPES}
    with pytest.raises(ValueError, match="folds are 0 to 3"):
        fold_classes(4)


@pytest.mark.parametrize("name", CLASSES)
def test_mask_lies_on_an_object_of_its_colour_and_shape(name: str) -> None:
    colour, shape = name.split()
    fills = []
    for seed in range(4):
        image, mask = draw(np.random.default_rng(seed), 128, [name], 1, 1)
        inside = mask == 1
        mean = image[:, inside].mean(axis=1) / 255
        hue, saturation, value = colorsys.rgb_to_hsv(*mean)
        if colour == "white":
            assert saturation < 0.2
            assert value > image[:, ~inside].mean() / 255 + 0.15
        else:
            assert saturation > 0.6
            assert abs((hue * 360 - HUES[colour] + 180) % 360 - 180) < 15
        # Area over the squared reach from the centroid: how compact the shape is.
        rows, columns = np.nonzero(inside)
        if min(rows.min(), columns.min()) > 0 and max(rows.max(), columns.max()) < 127:
            reach = np.hypot(rows - rows.mean(), columns - columns.mean())
            fills.append(inside.sum() / reach.max() ** 2)
            hollow = reach.min() > 0.3 * reach.max()
            assert hollow == (shape == "ring")
    low, high = {"circle": (2.7, 3.3), "square": (1.6, 2.2), "triangle": (1.0, 1.5)}.get(
        shape, (0.8, 2.5)
    )
    assert fills
    assert all(low < fill < high for fill in fills)


def test_empty_pictures_can_be_asked_for() -> None:
    masks = [draw(np.random.default_rng(i), 32, CLASSES, 0, 0).mask for i in range(12)]
    assert not np.any(masks)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["red circle", "pink circle"], r"\['pink circle'\].*yellow.*triangle"),
        (["circle"], "unknown"),
        (["red circle", "red circle"], "more than once"),
        ([], "one or more"),
        ("red circle", "list"),
    ],
)
def test_wrong_classes_are_refused(classes: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShapesDataset(classes, 4)


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        ShapesDataset(CLASSES, 0)
    with pytest.raises(ValueError, match="size=16"):
        ShapesDataset(CLASSES, 4, size=16)
    with pytest.raises(ValueError, match="seed=-1"):
        ShapesDataset(CLASSES, 4, seed=-1)
    with pytest.raises(ValueError, match="max_objects=0"):
        ShapesDataset(CLASSES, 4, max_objects=0)
    with pytest.raises(ValueError, match="background"):
        ShapesDataset(CLASSES, 4, background="red circle")
