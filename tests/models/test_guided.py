import numpy as np
import pytest
import torch

from lseg.models.guided import EPSILON, RADIUS, STRIDE, guided
from lseg.models.maps import DenseMaps, ResizedMaps, all_logits
from lseg.models.strips import label_map


@pytest.fixture
def picture():
    return torch.randint(0, 256, (3, 57, 83), dtype=torch.uint8)


@pytest.fixture
def logits():
    return torch.randn(1, 3, 48, 64)


def naive(guide, logits):
    """Every window's own least squares; every pixel averages the lines of the windows over it."""
    height, width = guide.shape
    lines = np.zeros((2, height, width))
    for y, x in np.ndindex(height, width):
        window = np.s_[max(0, y - RADIUS) : y + RADIUS + 1, max(0, x - RADIUS) : x + RADIUS + 1]
        i, p = guide[window].ravel(), logits[window].ravel()
        design = np.stack([i - i.mean(), np.ones_like(i)], axis=1) / np.sqrt(i.size)
        penalty = np.diag([EPSILON, 0])
        slope, level = np.linalg.solve(design.T @ design + penalty, design.T @ p / np.sqrt(i.size))
        lines[:, y, x] = slope, level - slope * i.mean()
    found = np.zeros((height, width))
    for y, x in np.ndindex(height, width):
        window = np.s_[:, max(0, y - RADIUS) : y + RADIUS + 1, max(0, x - RADIUS) : x + RADIUS + 1]
        slope, level = lines[window].reshape(2, -1).mean(1)
        found[y, x] = slope * guide[y, x] + level
    return found


def test_it_is_ridge_regression_in_each_window(picture):
    grey = picture[:1, :14, :18].expand(3, -1, -1)
    logits = torch.randn(1, 2, 14 * STRIDE, 18 * STRIDE)
    found = all_logits(guided(DenseMaps(logits), grey))
    coarse = all_logits(ResizedMaps(DenseMaps(logits), (14, 18)))
    for label in range(2):
        wanted = naive(grey[0].numpy() / 255, coarse[0, label].double().numpy())
        np.testing.assert_allclose(found[0, label], wanted, atol=1e-4)


def test_strips_and_parts_equal_the_whole(picture, logits):
    maps = guided(DenseMaps(logits), picture)
    whole = all_logits(maps)
    assert whole.shape == (1, 3, 57, 83)
    torch.testing.assert_close(torch.cat([maps.rows(0, 20), maps.rows(20, 57)], 2), whole)
    parts = torch.cat([all_logits(part) for part in maps.split(2)], 1)
    torch.testing.assert_close(parts, whole)
    assert (label_map(maps) == whole.argmax(1)).all()


def test_an_outline_is_where_the_picture_has_it():
    """The logits of a coarse network pass slowly from one label to the other."""
    picture = torch.zeros(3, 96, 96, dtype=torch.uint8)
    picture[:, :, 50:] = 200
    ramp = torch.linspace(-1, 1, 96).expand(1, 1, 96, 96)
    logits = torch.cat([ramp, -ramp], 1)
    plain = logits.argmax(1)[0]
    found = all_logits(guided(DenseMaps(logits), picture)).argmax(1)[0]
    truth = (picture[0] == 0).long()
    assert (plain == truth).float().mean() < 0.98
    assert (found[:, 30:70] == truth[:, 30:70]).float().mean() > 0.99
