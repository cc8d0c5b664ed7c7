import numpy as np
import pytest

from lseg.errors import ImageError
from lseg.memory.marks import LABEL, REST, UNKNOWN, Box, Mask, Strokes, clicks


def test_a_mask_says_of_every_pixel_whether_it_is_the_label():
    mask = np.zeros((4, 6), bool)
    mask[1, 2:4] = True
    assert (Mask(mask).paint(4, 6) == np.where(mask, LABEL, REST)).all()


def test_outside_a_box_is_not_the_label_and_inside_may_be_other_things():
    box = Box(2, 1, 5, 3)
    painted = box.paint(4, 6)
    assert (painted[1:3, 2:5] == LABEL).all()
    assert (painted == LABEL).sum() == 6
    assert (painted != UNKNOWN).all()
    assert box.rough


def test_strokes_say_nothing_of_what_they_do_not_touch():
    painted = Strokes([[(2, 5), (17, 5)]], width=3).paint(12, 20)
    assert (painted[5, 2:18] == LABEL).all()
    assert (painted[9:] == UNKNOWN).all()
    assert (painted != REST).all()


def test_a_click_marks_a_few_pixels_around_it():
    painted = clicks([(3, 8)], width=3).paint(12, 20)
    assert painted[8, 3] == LABEL
    assert 4 < (painted == LABEL).sum() < 20


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (Mask(np.zeros((3, 3), bool)), "a picture of 4 rows and 6 columns"),
        (Mask(np.full((4, 6), 7)), "255 for unknown"),
        (Box(6, 0, 9, 4), "holds no pixel of a picture of 6 x 4"),
        (clicks([(6, 1)]), r"the point \(6, 1\) in a picture of 6 x 4"),
        (clicks([]), "no point"),
    ],
)
def test_marks_that_do_not_fit_are_refused(marks, message):
    with pytest.raises(ImageError, match=message):
        marks.paint(4, 6)
