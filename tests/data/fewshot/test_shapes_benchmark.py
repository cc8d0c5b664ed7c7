import numpy as np
import pytest

from lseg.data.base.folder import BACKGROUND
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.shapes_benchmark import SHAPES_FOLDS, VISIBLE, ShapesSource
from lseg.data.sets.shapes import CLASSES, fold_classes
from lseg.errors import ConfigError


def test_folds_hold_out_every_class_once_and_none_of_its_colours_or_shapes_wholly():
    held = [index for fold in range(4) for index in SHAPES_FOLDS.held_out(fold)]
    assert sorted(held) == list(range(36))
    for fold in range(4):
        assert [CLASSES[index] for index in SHAPES_FOLDS.held_out(fold)] == fold_classes(fold)
        seen = [CLASSES[index].split() for index in SHAPES_FOLDS.seen(fold)]
        assert {colour for colour, _ in seen} == {name.split()[0] for name in CLASSES}
        assert {shape for _, shape in seen} == {name.split()[1] for name in CLASSES}


def test_training_pictures_show_no_held_out_class():
    source = ShapesSource(1, Part.TRAIN, length=40, size=48)
    held = set(SHAPES_FOLDS.held_out(1))
    shown = {int(value) for index in range(40) for value in np.unique(source.read(index).mask)}
    assert BACKGROUND in shown
    assert len(shown) > 15
    assert not shown & held
    assert {kind for _, kind in source.entries} <= set(SHAPES_FOLDS.seen(1))


def test_test_pictures_show_all_classes_and_are_asked_for_the_held_out_ones():
    source = ShapesSource(2, length=60, size=48)
    shown = {int(value) for index in range(60) for value in np.unique(source.read(index).mask)}
    asked = {kind for _, kind in source.entries}
    assert shown & set(SHAPES_FOLDS.seen(2))
    assert asked == set(SHAPES_FOLDS.held_out(2))
    assert len(set(source.entries)) == len(source.entries)


def test_entries_are_what_covers_enough_of_a_picture():
    source = ShapesSource(0, length=30, size=64)
    for index in range(30):
        mask = source.read(index).mask
        wanted = [k for k in SHAPES_FOLDS.held_out(0) if np.mean(mask == k) >= VISIBLE]
        assert [kind for picture, kind in source.entries if picture == index] == wanted
        assert source.present(index) == tuple(wanted)


def test_pictures_depend_on_index_part_and_seed_alone():
    source, again = ShapesSource(0, length=5, size=32), ShapesSource(0, length=9, size=32)
    first = np.asarray(source.read(3).image)
    assert first.shape == (32, 32, 3)
    assert source.read(3).image.mode == "RGB"
    again.read(8)
    assert np.array_equal(np.asarray(again.read(3).image), first)
    assert np.array_equal(again.read(3).mask, source.read(3).mask)
    others = [
        source.read(2).image,
        ShapesSource(0, Part.TRAIN, length=5, size=32).read(3).image,
        ShapesSource(0, length=5, size=32, seed=1).read(3).image,
    ]
    assert not any(np.array_equal(np.asarray(other), first) for other in others)
    assert len({source.stem(index) for index in range(5)}) == 5


def test_what_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="fold 4"):
        ShapesSource(4)
    with pytest.raises(ConfigError, match="size=8"):
        ShapesSource(0, size=8)
    with pytest.raises(IndexError):
        ShapesSource(0, length=2).read(2)
