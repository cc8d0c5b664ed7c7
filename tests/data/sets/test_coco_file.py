"""Names of pictures in a COCO file."""

import pytest

from lseg.data.sets.coco_file import _file_name


@pytest.mark.parametrize(
    ("given", "whole", "name"),
    [
        ("val/a.jpg", "val/a.jpg", "a.jpg"),
        ("val\\a.jpg", "val/a.jpg", "a.jpg"),
        ("https://x.org/b/a.jpg?k=1", "a.jpg", "a.jpg"),
        ("a/" * 63 + "b.jpg", "a/" * 63 + "b.jpg", "b.jpg"),
        ("a/" * 64 + "b.jpg", None, None),
        ("a/" * 99 + "b.jpg", None, None),
        ("x" * 255, "x" * 255, "x" * 255),
        ("é" * 128, None, None),
        ("..", None, None),
        ("", None, None),
        (7, None, None),
    ],
)
def test_what_a_picture_may_be_called(given, whole, name):
    assert _file_name(given, keep_folders=True) == whole
    assert _file_name(given, keep_folders=False) == name
