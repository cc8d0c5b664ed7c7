"""Every odd instances JSON, and every odd image in it, is read right or named in one line."""

import json
import math

import numpy as np
import pytest
from coco_trees import (
    PERSON,
    check_line,
    coco20i_tree,
    image,
    instances,
    read_mask,
    thing,
    without,
)

from lseg.data.sets.coco import CocoFolder
from lseg.errors import DataError

# A whole file, and what the line says besides its name.
FILES = {
    "empty": (b"", ["no JSON"]),
    "cut off": (json.dumps(instances()).encode()[:-20], ["cut off"]),
    "binary": (bytes(range(256)), ["no JSON"]),
    "nested without end": (b"[" * 200_000, ["nested"]),
    "a list": ([thing()], ["list", "results"]),
    "a number": (5, ["int"]),
    "without images": (without(instances(), "images"), ["nothing", "'images'"]),
    "without annotations": (without(instances(), "annotations"), ["nothing", "'annotations'"]),
    "images null": (instances() | {"images": None}, ["nothing", "'images'"]),
    "images an object": (instances() | {"images": {"1": image()}}, ["dict", "'images'"]),
    "images of texts": (instances() | {"images": ["a.jpg"]}, ["'a.jpg'", "position 0"]),
    "annotations a text": (instances() | {"annotations": "x"}, ["str", "'annotations'"]),
    "annotations of null": (instances([None]), ["None", "position 0"]),
    "categories a text": (instances(categories="x"), ["str", "'categories'"]),
    "categories of another set": (
        instances(categories=[{"id": 1, "name": "helmet"}]),
        ["'helmet'", "dataset coco"],
    ),
    "an image twice": (instances(images=[image(), image(file_name="b.jpg")]), ["'b.jpg'", "id 1"]),
    "an image twice, as a text": (
        instances(images=[image(), image(id="1", file_name="b.jpg")]),
        ["'b.jpg'", "id 1"],
    ),
    "a file name twice": (instances(images=[image(), image(id=2)]), ["'a.jpg' twice", "1 and 2"]),
    "an image without id": (instances(images=[without(image(), "id")]), ["None", "position 0"]),
    "an image of the id NaN": (instances(images=[image(id=math.nan)]), ["nan", "position 0"]),
    "no file name": (instances(images=[without(image(), "file_name")]), ["None", "image 1"]),
    "a file name that is none": (instances(images=[image(file_name=5)]), ["5", "image 1"]),
    "a file name of a folder": (instances(images=[image(file_name="x/..")]), ["x/..", "image 1"]),
    "a file name too long": (instances(images=[image(file_name="x" * 300)]), ["xxx", "image 1"]),
    "a zero in a file name": (instances(images=[image(file_name="a\0")]), ["x00", "image 1"]),
    "half a character": (instances(images=[image(file_name="\ud800")]), ["ud800", "image 1"]),
    "an annotation of no picture": (
        instances([thing(), thing(id=9, image_id=2), thing(id=10, image_id=3)]),
        ["2 annotation(s)", "annotation 9", "image_id 2"],
    ),
    "an annotation of the picture null": (
        instances([thing(image_id=None)]),
        ["1 annotation(s)", "annotation 7", "image_id None"],
    ),
}

SIZES = {
    "missing": without(image(), "height"),
    "null": image(height=None),
    "zero": image(width=0),
    "negative": image(width=-10),
    "NaN": image(height=math.nan),
    "infinite": image(height=math.inf),
    "broken": image(height=8.5),
    "a word": image(height="high"),
    "true": image(height=True),
    "a list": image(height=[8]),
    "1e9": image(height=10**9, width=10**9),
    "500 digits": image(height=10**500),
}


@pytest.mark.parametrize("case", FILES)
def test_one_line_about_the_file(case, tmp_path):
    content, words = FILES[case]
    with pytest.raises(DataError) as error:
        read_mask(tmp_path, content)
    check_line(error, *words)


@pytest.mark.parametrize("case", SIZES)
def test_one_line_about_a_size(case, tmp_path):
    with pytest.raises(DataError) as error:
        read_mask(tmp_path, instances(images=[SIZES[case]]))
    check_line(error, "'a.jpg' (image 1)", "height", "width")


@pytest.mark.parametrize(
    "fields",
    [
        {"height": 8.0, "width": "10"},
        {"id": "1"},
        {"id": 1.0},
        {"file_name": "val2014/a.jpg"},
        {"file_name": "val2014\\a.jpg"},
        {"file_name": "http://images.cocodataset.org/val2014/a.jpg?x=1"},
    ],
)
def test_odd_fields_of_an_image_that_can_mean_one_thing_only(fields, tmp_path):
    assert np.array_equal(read_mask(tmp_path, instances(images=[image(**fields)])), PERSON)


def test_a_byte_order_mark(tmp_path):
    content = b"\xef\xbb\xbf" + json.dumps(instances()).encode()
    assert np.array_equal(read_mask(tmp_path, content), PERSON)


def test_height_and_width_are_not_swapped(tmp_path):
    tree = CocoFolder(coco20i_tree(tmp_path, instances(images=[image(height=10, width=8)])))
    assert tree.mask("val2014/a").shape == (10, 8)
    with pytest.raises(DataError, match="image 10x8, mask 8x10"):
        tree.read("val2014/a")


def test_a_file_that_cannot_be_read_is_read_once(tmp_path):
    tree = CocoFolder(coco20i_tree(tmp_path, b"{"))
    for _ in range(2):
        with pytest.raises(DataError, match="no JSON"):
            tree.mask("val2014/a")
        tree.mask_path("val2014/a").write_text(json.dumps(instances()))
