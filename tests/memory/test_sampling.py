import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lseg.errors import ImageError
from lseg.memory.examples import CELLS
from lseg.memory.marks import Box, Mask, clicks
from lseg.memory.sampling import Cells


@pytest.fixture
def seen(model):
    """A picture of 64 x 96, its cells on a grid of 16 x 24, and what the network says there."""
    pixels = torch.randint(0, 256, (64, 96, 3), dtype=torch.uint8).numpy()
    with torch.inference_mode():
        look = model.look(model.normalize(torch.from_numpy(pixels).permute(2, 0, 1)[None]))
    return pixels, Cells(look, (64, 96), (64, 96)), look


def rows_of(vectors, maps):
    """Which cells (row, column) of a map (D, h, w) these vectors are."""
    flat = maps.flatten(1).T.half()
    nearest = torch.cdist(vectors.float(), flat.float()).argmin(1)
    return {(int(cell) // maps.shape[2], int(cell) % maps.shape[2]) for cell in nearest}


def test_vectors_are_those_of_cells_under_the_mask(seen):
    pixels, cells, look = seen
    mask = np.zeros((64, 96), bool)
    mask[16:32, 48:72] = True
    example = cells.example("mug", "a.png", pixels, Mask(mask))
    embeddings = look.embeddings.projection.of(look.embeddings.features)[0]
    where = rows_of(example.shown.embeddings, F.normalize(embeddings, dim=0))
    assert where == {(row, column) for row in range(4, 8) for column in range(12, 18)}
    assert example.area == pytest.approx(16 * 24 / (64 * 96))
    assert len(example.rest.embeddings) == CELLS
    assert not where & rows_of(example.rest.embeddings, F.normalize(embeddings, dim=0))


def test_levels_stand_side_by_side_each_of_norm_one(seen):
    pixels, cells, look = seen
    example = cells.example("mug", "a.png", pixels, Mask(np.ones((64, 96), bool)))
    widths = [level.shape[1] for level in look.levels]
    assert example.shown.levels.shape[1] == sum(widths)
    finest = example.shown.levels[:, : widths[0]].float()
    assert torch.allclose(finest.norm(dim=1), torch.ones(len(finest)), atol=5e-3)
    assert len(example.rest.levels) == 0


def test_the_smallest_thing_has_a_vector(seen):
    pixels, cells, _ = seen
    mask = np.zeros((64, 96), bool)
    mask[33, 50] = True
    assert len(cells.example("mug", "a.png", pixels, Mask(mask)).shown.embeddings) == 1


def test_beside_points_nothing_is_sure(seen):
    pixels, cells, _ = seen
    assert not cells.example("mug", "a", pixels, clicks([(50, 33)])).sure
    assert cells.example("mug", "a", pixels, Box(9, 9, 40, 40)).sure


def test_of_a_box_the_cells_are_kept_that_look_like_its_middle(model):
    pixels = np.full((64, 96, 3), 110, np.uint8)
    pixels[16:48, 24:56] = (230, 20, 20)
    with torch.inference_mode():
        look = model.look(model.normalize(torch.from_numpy(pixels).permute(2, 0, 1)[None]))
    cells = Cells(look, (64, 96), (64, 96))
    example = cells.example("mug", "a", pixels, Box(4, 4, 76, 60))
    embeddings = look.embeddings.projection.of(look.embeddings.features)[0]
    where = rows_of(example.shown.embeddings, F.normalize(embeddings, dim=0))
    inside = [3 <= row < 13 and 5 <= column < 15 for row, column in where]
    assert sum(inside) > 0.7 * len(inside)


def test_nothing_marked_is_refused(seen):
    pixels, cells, _ = seen
    with pytest.raises(ImageError, match=r"nothing in a\.png is marked as 'mug'"):
        cells.example("mug", "a.png", pixels, Mask(np.zeros((64, 96), bool)))
