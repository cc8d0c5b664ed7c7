"""Every odd annotation in an instances JSON gives the right mask, or one line that names it."""

import math
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from coco_trees import (
    HEIGHT,
    PERSON,
    WIDTH,
    box,
    check_line,
    coco20i_tree,
    expected,
    image,
    instances,
    read_mask,
    thing,
    without,
)
from pycocotools import mask as coco

from lseg.data.sets.coco import CocoFolder
from lseg.errors import DataError

AREA = HEIGHT * WIDTH
DOG = expected(((1, 4), (2, 6), 16))
WHOLE = expected(((0, HEIGHT), (0, WIDTH), 0))
COUNTS = [17, 3, 5, 3, 5, 3, 5, 3, 36]  # of PERSON, column after column
PACKED = coco.encode(np.asfortranarray(PERSON == 0))["counts"].decode()
RING = np.ones((HEIGHT, WIDTH), bool)
RING[2:5, 3:7] = False


def runs(counts, size=(HEIGHT, WIDTH)):
    return {"size": list(size), "counts": counts}


def crowd(segmentation, iscrowd=1):
    return thing(segmentation, iscrowd=iscrowd)


def dog(segmentation, **fields):
    return thing(segmentation, id=8, category_id=18, **fields)


# Annotations of the one picture, and its mask; the person of `thing` is in all that say nothing.
MASKS = {
    "as published": ([thing()], PERSON),
    "ids as texts": ([thing(image_id="1", category_id="1", id="x")], PERSON),
    "ids as floats": ([thing(image_id=1.0, category_id=1.0)], PERSON),
    "no annotation id": ([without(thing(), "id")], PERSON),
    "no area": ([without(thing(), "area")], PERSON),
    "area as text": ([thing(area="12.0")], PERSON),
    "area null": ([thing(area=None)], PERSON),
    "area NaN": ([thing(area=math.nan)], PERSON),
    "area NaN below a smaller thing": (
        [dog([box(3, 2, 5, 3)], area=math.nan), thing(area=math.nan)],
        expected(((1, 4), (2, 6), 0), ((2, 3), (3, 5), 16)),
    ),
    "area negative below a smaller thing": (
        [dog([box(3, 2, 5, 3)], area=2.0), thing(area=-1)],
        expected(((1, 4), (2, 6), 0), ((2, 3), (3, 5), 16)),
    ),
    "no bbox, no iscrowd": ([without(thing(), "iscrowd")], PERSON),
    "NaN where nobody looks": ([thing(score=math.nan, bbox=[math.inf] * 4)], PERSON),
    "iscrowd true, polygons": ([crowd([box(2, 1, 6, 4)], True)], PERSON),
    "iscrowd as text, run lengths": ([crowd(runs(COUNTS), "1")], PERSON),
    "crowd of run lengths": ([crowd(runs(COUNTS))], PERSON),
    "a thing of run lengths": ([crowd(runs(COUNTS), 0)], PERSON),
    "compressed": ([thing(runs(PACKED))], PERSON),
    "a run of no pixels": ([thing(runs([0, 0, *COUNTS]))], PERSON),
    "no trailing run": ([thing(runs([0, AREA]))], WHOLE),
    "nothing in run lengths": ([thing(runs([AREA])), thing()], PERSON),
    "a hole, by run lengths": (
        [thing(runs(coco.encode(np.asfortranarray(RING))["counts"].decode()))],
        np.where(RING, 0, -1),
    ),
    "a polygon in a polygon is no hole": (
        [thing([box(1, 1, 8, 7), box(3, 3, 5, 5)])],
        expected(((1, 7), (1, 8), 0)),
    ),
    "two polygons of one thing": (
        [thing([box(0, 0, 2, 2), box(6, 5, 9, 8)])],
        expected(((0, 2), (0, 2), 0), ((5, 8), (6, 9), 0)),
    ),
    "a polygon without outer brackets": ([thing(box(2, 1, 6, 4))], PERSON),
    "over the border": ([thing([box(-30, -5, 6, 4)])], expected(((0, 4), (0, 6), 0))),
    "far over all borders": ([thing([box(-9e4, -9e4, 9e4, 9e4)])], WHOLE),
    "outside altogether": ([thing([box(40, 40, 60, 60)]), dog(runs(COUNTS))], DOG),
    "as a line": ([thing([[2, 1, 6, 1, 2, 1]]), dog([box(2, 1, 6, 4)])], DOG),
    "first of two points, then of four": ([thing([[1, 1, 5, 5], box(2, 1, 6, 4)])], PERSON),
    "an empty polygon beside another": ([thing([[], box(2, 1, 6, 4)])], PERSON),
    "no segmentation": ([without(thing(), "segmentation"), thing()], PERSON),
    "a box only": ([without(thing(bbox=[0, 0, 9, 9]), "segmentation"), thing()], PERSON),
    "key points only": (
        [without(thing(keypoints=[1, 1, 2], num_keypoints=1), "segmentation"), thing()],
        PERSON,
    ),
    "segmentation []": ([thing([]), thing()], PERSON),
    "segmentation [[]]": ([thing([[]]), thing()], PERSON),
    "segmentation {}": ([thing({}), thing()], PERSON),
    "segmentation null": ([thing() | {"segmentation": None}, thing()], PERSON),
    "counts []": ([thing(runs([])), thing()], PERSON),
    "a polygon of one point": ([thing([[3, 3]]), thing()], PERSON),
    "a polygon of two points": ([thing([[0, 0, 9, 7]]), thing()], PERSON),
    "annotation ids twice": ([thing([box(2, 1, 4, 4)]), thing([box(4, 1, 6, 4)])], PERSON),
}  # fmt: skip

# An annotation, and what the line about it says besides the file, the annotation and the picture.
FAULTS = {
    "NaN": (thing([[1, 1, math.nan, 1, 5, 5]]), ["nan", "coordinate"]),
    "infinite": (thing([[1, 1, math.inf, 1, 5, 5]]), ["inf", "coordinate"]),
    "minus infinite": (thing([[1, 1, 5, -math.inf, 5, 5]]), ["-inf", "coordinate"]),
    "1e9": (thing([[1, 1, 1e9, 1, 5, 5]]), ["1000000000", "coordinate"]),
    "1e300": (thing([[1, 1, 1e300, 1, 5, 5]]), ["1e+300", "coordinate"]),
    "a number of 500 digits": (thing([[1, 1, 10**500, 1, 5, 5]]), ["1000", "coordinate"]),
    "back and forth without end": (thing([[-9e5, 0, 9e5, 1] * 9]), ["outline of", "2000000"]),
    "odd": (thing([[1, 1, 5, 1, 5, 5, 2]]), ["7 numbers", "pairs"]),
    "odd, without brackets": (thing([1, 1, 5, 1, 5, 5, 2]), ["7 numbers", "pairs"]),
    "points as pairs": (thing([[1, 1], [5, 1], [5, 5]]), ["list of points", "x1, y1, x2"]),
    "points in pairs, deeper": (thing([[[1, 1], [5, 1], [5, 5]]]), ["numbers", "x1, y1, x2"]),
    "texts as numbers": (thing([["1", "1", "5", "1", "5", "5"]]), ["'1'", "numbers"]),
    "null among numbers": (thing([[1, 1, None, 1, 5, 5]]), ["None", "numbers"]),
    "true among numbers": (thing([[1, 1, True, 1, 5, 5]]), ["True", "numbers"]),
    "numbers beside a polygon": (thing([box(2, 1, 6, 4), 5]), ["5 for a polygon"]),
    "a text": (thing("mask.png"), ["'mask.png'", "polygons"]),
    "a number": (thing(5), ["segmentation 5", "polygons"]),
    "size swapped": (thing(runs(COUNTS, (WIDTH, HEIGHT))), ["swapped", "[8, 10]"]),
    "size of another picture": (thing(runs([600], (20, 30))), ["[20, 30]", "height 8"]),
    "size missing": (thing({"counts": COUNTS}), ["size None", "[8, 10]"]),
    "counts missing": (thing({"size": [HEIGHT, WIDTH]}), ["counts None"]),
    "counts null": (thing(runs(None)), ["counts None"]),
    "counts too few": (thing(runs([10, 5])), ["15 pixels", "80"]),
    "counts too many": (thing(runs([10, 75])), ["85 pixels", "80"]),
    "counts far too many": (thing(runs([0, 10**9])), ["1000000000", "80"]),
    "counts of 500 digits": (thing(runs([0, 10**500])), ["1000", "80"]),
    "counts negative": (thing(runs([90, -10])), ["-10", "0 to 80"]),
    "counts broken": (thing(runs([10.5, 69.5])), ["10.5", "whole"]),
    "counts as texts": (thing(runs(["10", "70"])), ["'10'", "whole"]),
    "compressed of another size": (
        thing(runs(coco.encode(np.eye(9, dtype=np.uint8, order="F"))["counts"].decode())),
        ["81", "80"],
    ),
    "compressed, cut off": (thing(runs(PACKED[:-1] + "o")), ["damaged"]),
    "compressed, no such characters": (thing(runs("not run lengths é")), ["damaged"]),
    "compressed, without end": (thing(runs("o" * 99 + "0")), ["100 characters"]),
    "compressed, negative": (thing(runs("O" + PACKED)), ["whole numbers from 0"]),
    "category beyond COCO's": (thing(category_id=91), ["category_id 91", "80"]),
    "category 0": (thing(category_id=0), ["category_id 0", "80"]),
    "category of a gap": (thing(category_id=12), ["category_id 12", "80"]),
    "category a name": (thing(category_id="person"), ["'person'", "80"]),
    "category missing": (without(thing(), "category_id"), ["category_id None"]),
    "category NaN": (thing(category_id=math.nan), ["category_id nan"]),
    "category true": (thing(category_id=True), ["category_id True"]),
}


@pytest.mark.parametrize("case", MASKS)
def test_the_right_mask(case, tmp_path):
    annotations, wanted = MASKS[case]
    mask = read_mask(tmp_path, instances(annotations))
    assert mask.dtype == np.int16
    assert np.array_equal(mask, wanted)


@pytest.mark.parametrize("case", FAULTS)
def test_one_line_about_the_annotation(case, tmp_path):
    annotation, words = FAULTS[case]
    with pytest.raises(DataError) as error:
        read_mask(tmp_path, instances([thing([box(0, 0, 1, 1)], id=6), annotation]))
    check_line(error, "annotation 7", "'a.jpg'", *words)


def test_what_is_skipped_is_counted(tmp_path):
    annotations = [thing(), thing([], id=8), without(thing(id=9), "segmentation")]
    tree = CocoFolder(coco20i_tree(tmp_path, instances(annotations)))
    (note,) = tree.notes
    assert "2 annotation(s) without an outline" in note
    assert "annotation 8 of 'a.jpg'" in note


FILLING = {
    "NaN": instances([thing([[1, 1, math.nan, 1, 5, 5]])]),
    "far away": instances([thing([[-1e8, 0, 1e8, 1] * 50])]),
    "a huge picture": instances(images=[image(height=10**9, width=10**9)]),
    "a huge run": instances([thing(runs([0, 2 * 10**9]))]),
}

SANDBOX = """
    import resource, sys
    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    from pathlib import Path
    from lseg.data.sets.coco import CocoFolder
    from lseg.errors import DataError
    for root in sys.argv[1:]:
        try:
            CocoFolder(Path(root)).mask("val2014/a")
        except DataError as error:
            print("one line:", error, flush=True)
"""


def test_memory_stays_bounded(tmp_path):
    """In a process of its own: where it is not refused, the memory fills until that one ends."""
    roots = [coco20i_tree(tmp_path / name, content) for name, content in FILLING.items()]
    command = [sys.executable, "-c", textwrap.dedent(SANDBOX), *map(str, roots)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr[-300:]
    assert result.stdout.count("one line:") == len(FILLING)
