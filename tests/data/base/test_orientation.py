"""How a mask lies over its picture."""

import numpy as np
import pytest
from PIL import Image

from lseg.data.base.orientation import (
    UNDONE,
    Pixels,
    Placement,
    place,
    turned,
    turned_array,
    turned_size,
)

WIDE, HIGH, SQUARE = (6, 4), (4, 6), (5, 5)


@pytest.mark.parametrize("tag", range(1, 9))
def test_arrays_are_turned_as_pictures(tag):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = turned(Image.fromarray(array), tag)
    found = turned_array(array, tag)
    assert np.array_equal(found, np.asarray(image))
    assert turned_size((4, 3), tag) == image.size
    assert np.array_equal(turned_array(found, UNDONE[tag]), array)
    assert found.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    ("image", "mask", "upright", "wanted"),
    [
        # no tag anywhere
        (Pixels(WIDE), Pixels(WIDE), True, Placement(1, 1)),
        # the only one that fits; a picture that is shown upright takes its mask along
        (Pixels(WIDE, 6), Pixels(HIGH), True, Placement(6, 1)),
        (Pixels(WIDE, 6), Pixels(HIGH), False, Placement(6, 1)),
        (Pixels(WIDE, 6), Pixels(WIDE), True, Placement(6, 6)),
        (Pixels(WIDE, 6), Pixels(WIDE), False, Placement(1, 1)),
        # both fit
        (Pixels(WIDE, 3), Pixels(WIDE), True, Placement(3, 1, True)),
        (Pixels(WIDE, 3), Pixels(WIDE), False, Placement(1, 1, True)),
        (Pixels(SQUARE, 8), Pixels(SQUARE), True, Placement(8, 1, True)),
        # the mask has a tag as well: both are displayed, or both are stored
        (Pixels(WIDE, 6), Pixels(WIDE, 6), True, Placement(6, 6)),
        (Pixels(WIDE, 6), Pixels(WIDE, 6), False, Placement(1, 1)),
        (Pixels(WIDE, 2), Pixels(WIDE, 2), True, Placement(2, 2)),
        (Pixels(WIDE), Pixels(HIGH, 8), True, Placement(1, 8)),
        (Pixels(WIDE), Pixels(WIDE, 8), True, Placement(1, 1)),
        (Pixels(WIDE), Pixels(WIDE, 2), True, Placement(1, 2, True)),
        # drawn upright, with the tag copied from the picture
        (Pixels(WIDE, 6), Pixels(HIGH, 6), True, Placement(6, 1)),
        # nothing fits
        (Pixels(WIDE, 6), Pixels((7, 4)), True, None),
        (Pixels(WIDE), Pixels(HIGH), True, None),
    ],
)
def test_sizes_tell(image, mask, upright, wanted):
    assert place(image, mask, "auto", upright) == wanted


def test_an_option_decides_and_must_fit():
    square, turned_back = Pixels(SQUARE, 6), Pixels(SQUARE)
    assert place(square, turned_back, "displayed", True) == Placement(6, 1)
    assert place(square, turned_back, "stored", True) == Placement(6, 6)
    assert place(square, turned_back, "stored", False) == Placement(1, 1)
    assert place(Pixels(WIDE, 6), Pixels(WIDE), "displayed", True) is None
    assert place(Pixels(WIDE, 6), Pixels(HIGH), "stored", True) is None
