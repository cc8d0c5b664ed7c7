import pytest
import torch

from lseg.models import strips as strips_module
from lseg.models.maps import (
    AverageMaps,
    DenseMaps,
    MirroredMaps,
    Mosaic,
    ResizedMaps,
    Tile,
    all_logits,
)
from lseg.models.strips import Budget, label_map, picture_groups, row_strips, top_labels
from lseg.models.upsample import upsample


def combined(values):
    """Maps that use every kind, and what they are at full size."""
    resized = upsample(values, (11, 13))
    tiles = [Tile(0, 0, DenseMaps(resized[:, :, :7])), Tile(4, 0, DenseMaps(resized[:, :, 4:]))]
    average = AverageMaps(
        [MirroredMaps(ResizedMaps(DenseMaps(values), (11, 13))), Mosaic(tiles, (11, 13))]
    )
    return average, (resized.flip(-1) + resized) / 2


@pytest.mark.parametrize("rows", [1, 2, 5, 11])
def test_rows_of_combined_maps(rows):
    found, wanted = combined(torch.randn(2, 4, 5, 6, dtype=torch.float64))
    assert (found.batch, found.labels, found.size) == (2, 4, (11, 13))
    for start in range(0, 11, rows):
        stop = min(start + rows, 11)
        torch.testing.assert_close(found.rows(start, stop), wanted[:, :, start:stop])


def test_tiles_are_averaged_where_they_overlap_in_both_directions():
    parts = {(0, 0): 1.0, (0, 2): 2.0, (1, 0): 4.0, (1, 2): 8.0}
    tiles = [Tile(*corner, DenseMaps(torch.full((1, 1, 2, 3), v))) for corner, v in parts.items()]
    found = all_logits(Mosaic(tiles, (3, 5)))[0, 0]
    wanted = [[1, 1, 1.5, 2, 2], [2.5, 2.5, 3.75, 5, 5], [4, 4, 6, 8, 8]]
    torch.testing.assert_close(found, torch.tensor(wanted))


@pytest.mark.parametrize("at_once", [1, 3, 256, None])
@pytest.mark.parametrize("budget", [1, 500, 10**9])
def test_reductions_do_not_depend_on_the_strips(budget, at_once, monkeypatch):
    monkeypatch.setattr(strips_module, "CPU_BUDGET", Budget(budget, at_once))
    found, wanted = combined(torch.randn(2, 7, 5, 6, dtype=torch.float64))
    assert torch.equal(label_map(found), wanted.argmax(1))
    best = top_labels(found, 3)
    values, indices = wanted.topk(3, dim=1)
    assert torch.equal(best.indices, indices)
    torch.testing.assert_close(best.logits, values)
    assert top_labels(found, 100).indices.shape == (2, 7, 11, 13)


def test_a_strip_fills_the_cache_of_a_processor_and_no_more():
    maps = DenseMaps(torch.zeros(1, 1, 1, 1).expand(1, 150, 480, 480))
    (_, rows), *_ = row_strips(maps)
    assert 2**23 < rows * 480 * 150 * 4 <= 2**24


@pytest.mark.parametrize("at_once", [1, 2, 256])
def test_the_first_of_equal_labels_wins(at_once, monkeypatch):
    monkeypatch.setattr(strips_module, "CPU_BUDGET", Budget(2**24, at_once))
    values = torch.randint(3, (1, 5, 8, 9)).float()
    first = values.numpy().argmax(1)  # NumPy says which of equals it takes
    assert (label_map(DenseMaps(values)).numpy() == first).all()


def test_strips_cover_every_row_once_within_the_budget():
    source = DenseMaps(torch.zeros(2, 3, 10, 4))
    assert list(row_strips(source, 4 * 2 * 3 * 4 * 3)) == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert list(row_strips(source, 1)) == [(row, row + 1) for row in range(10)]


@pytest.mark.parametrize(
    ("count", "wanted"), [(1, [(0, 1), (1, 2), (2, 3)]), (2, [(0, 2), (2, 3)])]
)
def test_pictures_are_taken_together_within_the_budget(count, wanted, monkeypatch):
    source = combined(torch.randn(3, 4, 5, 6))[0]
    budget = Budget((count + 1) * 4 * 4 * 11 * 13 - 1, 4)  # a byte short of one more
    monkeypatch.setattr(strips_module, "CPU_BUDGET", budget)
    assert list(picture_groups(source)) == wanted
    for first, last in picture_groups(source):
        found = all_logits(source.pictures(first, last))
        torch.testing.assert_close(found, all_logits(source)[first:last])
