"""Outlines against independent drawings; whatever stands in one, a mask or an error comes out."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from lseg.data.sets.coco_outline import OutlineError, draw, is_empty


def pixels(segmentation, height, width):
    """(H, W) bool."""
    columns = np.zeros(height * width, np.uint8)
    runs = draw(segmentation, height, width)
    runs.fill(columns, 1)
    assert runs.area == columns.sum()
    return columns.reshape(width, height).T.astype(bool)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_thing_in_several_pieces_has_all_of_them(count):
    corners = [(12 * piece, 2, 12 * piece + 6, 9) for piece in range(count)]
    wanted = np.zeros((12, 60), bool)
    for left, top, right, bottom in corners:
        wanted[top:bottom, left:right] = True
    pieces = [[x0, y0, x1, y0, x1, y1, x0, y1] for x0, y0, x1, y1 in corners]
    assert (pixels(pieces, 12, 60) == wanted).all()


@pytest.mark.parametrize("count", [3, 4])
def test_points_in_the_place_of_polygons_are_told(count):
    with pytest.raises(OutlineError, match="a list of points for a list of polygons"):
        draw([[4 * point, point**2] for point in range(count)], 12, 60)


def inside(polygon, height, width):
    """Pixels whose centre lies in a polygon, by the parity of the edges to its left."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    odd = np.zeros((height, width), bool)
    points = np.reshape(polygon, (-1, 2))
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        crossing = (y0 > y) != (y1 > y)
        if y0 != y1:
            odd ^= crossing & (x > x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd


def near_edge(polygon, height, width):
    """Pixels whose centre lies within 1.1 of an edge, where drawings may differ."""
    centre = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
    near = np.zeros((height, width), bool)
    points = np.reshape(polygon, (-1, 2))
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        along = end - start
        share = ((centre - start) @ along / max(along @ along, 1e-12)).clip(0, 1)
        near |= np.linalg.norm(centre - start - share[..., None] * along, axis=-1) < 1.1
    return near


@pytest.mark.parametrize("reach", [1.0, 3.0, 1000.0], ids=["within", "beyond", "far beyond"])
def test_polygons_against_an_even_odd_drawing(reach):
    """Also those that cross themselves or reach far over the border."""
    rng = np.random.default_rng(0)
    height, width = 40, 60
    drawn = 0
    for _ in range(60):
        corners = rng.integers(3, 8)
        polygon = (rng.random((corners, 2)) - 0.5) * reach * [width, height] + [30, 20]
        polygon = polygon.round(2).ravel().tolist()
        clear = ~near_edge(polygon, height, width)
        mask = pixels([polygon], height, width)
        wanted = inside(polygon, height, width)
        assert np.array_equal(mask[clear], wanted[clear])
        drawn += wanted[clear].sum()
    assert drawn > 1000


@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_run_lengths_against_the_mask_that_was_encoded(height, width, random):
    mask = np.array([[random.random() < 0.5 for _ in range(width)] for _ in range(height)])
    packed = coco.encode(np.asfortranarray(mask, np.uint8))
    text = packed["counts"]
    for counts in (text, text.decode()):
        assert np.array_equal(
            pixels({"size": [height, width], "counts": counts}, height, width), mask
        )
    columns = mask.T.ravel()
    edges = np.flatnonzero(np.diff(columns, prepend=False)).tolist()
    counts = np.diff([0, *edges, height * width]).tolist()
    assert np.array_equal(pixels({"size": [height, width], "counts": counts}, height, width), mask)


def test_long_runs_are_unpacked():
    mask = np.zeros((2000, 3000), np.uint8, order="F")
    mask[:, 1000:2900] = 1
    mask[7, 5] = 1
    packed = coco.encode(mask)
    assert np.array_equal(pixels(packed, 2000, 3000), mask.astype(bool))


NUMBERS = st.one_of(
    st.integers(-20, 40),
    st.floats(-50, 50),
    st.floats(),
    st.integers(),
    st.sampled_from([10**9, -(10**9), 2**31, 2**63, 999_999, 1e18]),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
POLYGONS = st.lists(st.lists(NUMBERS, max_size=12), max_size=4)
TEXTS = st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=20)
RUNS = st.fixed_dictionaries(
    {"size": st.just([9, 7]) | ANYTHING, "counts": st.lists(NUMBERS, max_size=6) | TEXTS | ANYTHING}
)


@given(st.one_of(POLYGONS, RUNS, ANYTHING))
@settings(max_examples=400, deadline=None)
def test_anything_gives_a_mask_or_an_error_soon(segmentation):
    start = time.process_time()
    if not is_empty(segmentation):
        try:
            assert pixels(segmentation, 9, 7).shape == (9, 7)
        except OutlineError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 500
    assert time.process_time() - start < 5
