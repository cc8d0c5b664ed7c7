"""What the values of mask files mean."""

import numpy as np
import pytest

from lseg.data.base.folder import IGNORE
from lseg.data.base.mask_values import MaskValues, ignore_value, spans
from lseg.errors import DataError

NAMES = ("void", "sky", "road", "car")


@pytest.mark.parametrize(
    ("ignored", "first", "classes", "table"),
    [
        ({255}, 0, NAMES, {0: 0, 1: 1, 2: 2, 3: 3, 255: IGNORE}),
        ({0}, 0, NAMES[1:], {0: IGNORE, 1: 0, 2: 1, 3: 2}),
        ({2}, 0, ("void", "sky", "car"), {0: 0, 1: 1, 2: IGNORE, 3: 2}),
        ({3}, 0, NAMES[:3], {0: 0, 1: 1, 2: 2, 3: IGNORE}),
        ({0, 255}, 1, NAMES, {0: IGNORE, 1: 0, 4: 3, 255: IGNORE}),
        ({65535}, 0, NAMES, {3: 3, 65535: IGNORE}),
        ({70000}, 0, NAMES, {3: 3}),
    ],
)
def test_a_value_anywhere_may_mean_no_label(ignored, first, classes, table):
    values = MaskValues(NAMES, ignored, first)
    assert values.classes == classes
    assert [NAMES[position] for position in values.kept] == list(classes)
    found = values.decode(np.array([list(table)], np.uint16), "m.png")
    assert found.tolist() == [list(table.values())]
    assert found.dtype == np.int16


def test_unknown_values_and_no_class_at_all_are_refused():
    values = MaskValues(NAMES, {1, 9})
    with pytest.raises(DataError, match=r"m\.png has the values 4, 7; .* 0, 2 to 3 .* 1, 9 \(ign"):
        values.decode(np.array([[4, 7, 0, 9]], np.uint8), "m.png")
    with pytest.raises(DataError, match=r"5, 6, .*15, \.\.\.; accepted"):
        values.decode(np.arange(5, 90, dtype=np.uint8)[None], "m.png")
    with pytest.raises(DataError, match="no class is left: sky"):
        MaskValues(("sky",), {0})
    with pytest.raises(DataError, match="40000 classes"):
        MaskValues([str(number) for number in range(40000)], {255})


def test_spans_and_the_value_of_items():
    assert spans([0, 1, 2, 4, 6, 7]) == "0 to 2, 4, 6 to 7"
    assert (ignore_value(255), ignore_value(256)) == (255, 65535)


def test_as_many_classes_as_int16_has_indices_and_not_one_more():
    names = [str(number) for number in range(32768)]
    last = MaskValues(names[:-1], {65535}).decode(np.array([[32766, 65535]], np.uint16), "m.png")
    assert last.tolist() == [[32766, IGNORE]]
    with pytest.raises(DataError, match="32768 classes: there may be 32767 at most"):
        MaskValues(names, {65535})
