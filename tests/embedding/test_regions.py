import numpy as np
import pytest
import torch
from drawing import draw
from PIL import Image

from lseg.embedding.regions import NO_REGION, pieces, region_means
from lseg.embedding.superpixels import superpixels


def slow_pieces(label_map):
    """Flood fill."""
    height, width = label_map.shape
    found = np.full((height, width), NO_REGION)
    count = 0
    for row in range(height):
        for column in range(width):
            if found[row, column] != NO_REGION:
                continue
            label, front = label_map[row, column], [(row, column)]
            while front:
                y, x = front.pop()
                inside = 0 <= y < height and 0 <= x < width
                if inside and found[y, x] == NO_REGION and label_map[y, x] == label:
                    found[y, x] = count
                    front += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
            count += 1
    return found


@pytest.mark.parametrize("seed", range(6))
def test_pieces_are_those_of_a_flood_fill(seed):
    rng = np.random.default_rng(seed)
    label_map = rng.integers(0, 2 + seed % 2, rng.integers(1, 24, 2))
    assert np.array_equal(pieces(label_map), slow_pieces(label_map))


def test_long_winding_pieces_are_one():
    label_map = np.zeros((41, 41), int)
    label_map[1::4, :-1] = label_map[3::4, 1:] = 1
    assert np.array_equal(pieces(label_map), slow_pieces(label_map))
    assert pieces(label_map).max() > 10


def test_small_pieces_are_no_regions():
    label_map = np.zeros((10, 10), int)
    label_map[2, 2], label_map[5:9, 5:9] = 1, 2
    found = pieces(label_map, least=2)
    assert found[2, 2] == NO_REGION
    assert sorted(np.unique(found)) == [NO_REGION, 0, 1]


def test_means_of_regions_are_those_of_their_pixels_strip_by_strip():
    maps = torch.randn(5, 9, 7)
    rng = np.random.default_rng(0)
    indices = [rng.integers(-1, 4, (9, 7)), rng.integers(0, 2, (9, 7))]
    strips = [(start, maps[:, start : start + 4]) for start in (0, 4, 8)]
    for index, means in zip(indices, region_means(strips, indices, 5), strict=True):
        assert len(means) == index.max() + 1
        for region, mean in enumerate(means):
            np.testing.assert_allclose(mean, maps[:, index == region].mean(1), atol=1e-6)


def test_nothing_has_no_means():
    (means,) = region_means([(0, torch.randn(5, 2, 2))], [np.full((2, 2), NO_REGION)], 5)
    assert means.shape == (0, 5)


@pytest.mark.parametrize(("height", "width", "count"), [(48, 64, 12), (41, 7, 6), (5, 5, 100)])
def test_superpixels_are_numbered_without_gaps(height, width, count):
    found = superpixels(Image.fromarray(draw(height, width)), count)
    assert found.shape == (height, width)
    numbers = np.unique(found)
    assert np.array_equal(numbers, np.arange(len(numbers)))
    assert 1 <= len(numbers) <= 2 * min(count, height * width)


@pytest.mark.parametrize("border", [17, 23])  # on no border of the grid
@pytest.mark.parametrize("upright", [True, False])
def test_superpixels_follow_colours(border, upright):
    """Those beside a border between two colours, each of one piece."""
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, border:] = 255
    found = superpixels(Image.fromarray(picture if upright else picture.swapaxes(0, 1)), 16)
    found = found if upright else found.T
    assert not set(np.unique(found[:, :border])) & set(np.unique(found[:, border:]))
    assert len(np.unique(pieces(found))) == len(np.unique(found))
