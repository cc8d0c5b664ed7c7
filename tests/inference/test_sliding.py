"""Sliding windows, scales and flip against loops that do one thing after the other."""

import pytest
import torch
from networks import WIDTH
from torch.nn import functional as F
from torch.testing import assert_close
from torchvision.transforms.v2 import functional as TF

from lseg.inference.sliding import WindowGrid, sliding_maps
from lseg.inference.views import InferenceConfig, image_logits, image_maps
from lseg.inference.windows import window_starts
from lseg.models.maps import all_logits
from lseg.models.strips import label_map, top_labels

CLOSE = {"rtol": 0, "atol": 1e-5}
EXACT = {"rtol": 0, "atol": 1e-9}  # in float64, where batches of a network differ by less


def exact(model, text, image):
    """The network and what it is given in float64."""
    return model.double(), text.double(), image.double()


@pytest.mark.parametrize("stride", [0.01, 1 / 3, 2 / 3, 1.0])
@pytest.mark.parametrize("length", [1, 31, 32, 33, 47, 64, 65, 200])
def test_windows_cover_every_pixel_without_leaving_the_picture(length, stride):
    starts = window_starts(length, 32, stride)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] == max(length - 32, 0)
    covered = {pixel for start in starts for pixel in range(start, min(start + 32, length))}
    assert covered == set(range(length))


def test_windows_step_by_two_thirds_and_end_with_the_picture_or_beyond_it():
    inside = WindowGrid.inside(1200, 300, 480, 2 / 3)
    assert (list(inside.tops), list(inside.lefts)) == ([0, 320, 640, 720], [0])
    assert (inside.height, inside.width) == (480, 300)
    beyond = WindowGrid.beyond(1200, 300, 480, 2 / 3)
    assert (list(beyond.tops), list(beyond.lefts)) == ([0, 320, 640, 960], [0])
    assert (beyond.height, beyond.width) == (480, 480)
    assert list(WindowGrid.beyond(800, 801, 480, 2 / 3).tops) == [0, 320]
    assert list(WindowGrid.beyond(800, 801, 480, 2 / 3).lefts) == [0, 320, 640]


def seen(model, image, text):
    """(N, H, W): what the network says of (3, H, W) in [0, 255]."""
    return model(model.normalize(image[None]), text)[0]


def naive(model, image, text, size, scales, flip, window):
    """Window after window, and pixel counts."""
    height, width = image.shape[-2:]
    total = image.new_zeros(len(text), height, width)
    passes = 0
    for scale in scales:
        factor = size * scale / min(height, width)
        shown = TF.resize(image, [round(height * factor), round(width * factor)], antialias=True)
        for mirror in (False, True) if flip else (False,):
            view = shown.flip(-1) if mirror else shown
            rows, columns = view.shape[-2:]
            logits = image.new_zeros(len(text), rows, columns)
            count = torch.zeros(rows, columns)
            step, tops, lefts = int(window * 2 / 3), [0], [0]
            while tops[-1] + window < rows:
                tops.append(min(tops[-1] + step, rows - window))
            while lefts[-1] + window < columns:
                lefts.append(min(lefts[-1] + step, columns - window))
            for top in tops:
                for left in lefts:
                    area = (..., slice(top, top + window), slice(left, left + window))
                    logits[area] += seen(model, view[area], text)
                    count[area] += 1
            logits /= count
            logits = logits.flip(-1) if mirror else logits
            total += F.interpolate(
                logits[None], (height, width), mode="bilinear", align_corners=True
            )[0]
            passes += 1
    return total / passes


@torch.no_grad()
@pytest.mark.parametrize("size", [(90, 131), (131, 90)])
def test_windows_scales_and_flip_equal_a_naive_loop(model, text, picture, size):
    model, text, image = exact(model, text, picture(*size))
    config = InferenceConfig(80, (0.5, 0.75, 1.0, 1.25, 1.5, 1.75), True, 48)
    wanted = naive(model, image, text, 80, config.scales, True, 48)
    assert wanted.std() > 0.1
    assert_close(image_logits(model, image, text, config), wanted, **EXACT)
    found = label_map(image_maps(model, image, text, config))[0]
    assert len(wanted.argmax(0).unique()) > 2
    assert torch.equal(found, wanted.argmax(0))


@torch.no_grad()
def test_windows_one_by_one_equal_a_naive_loop_in_float32(model, text, picture):
    image = picture(100, 70)
    config = InferenceConfig(0, window=48, batch=1)
    wanted = naive(model, image.float(), text, 70, (1.0,), False, 48)
    assert_close(image_logits(model, image, text, config), wanted, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("window", [64, 80, 500])
def test_a_window_that_holds_the_picture_gives_exactly_what_it_gives_whole(
    model, text, picture, window
):
    image = picture(64, 47)
    whole = image_maps(model, image, text, InferenceConfig(0))
    one = image_maps(model, image, text, InferenceConfig(0, window=window))
    assert torch.equal(all_logits(one), all_logits(whole))
    assert torch.equal(all_logits(one)[0], seen(model, image, text))
    assert torch.equal(label_map(one), label_map(whole))


@torch.no_grad()
def test_overlapping_windows_of_constant_logits_are_averaged_to_the_constant(model, text, picture):
    model.project.weight.zero_()
    model.project.bias.normal_()
    wanted = seen(model, torch.zeros(3, 32, 32), text)[:, :1, :1].expand(-1, 70, 101)
    grid = WindowGrid.inside(70, 101, 32, 1 / 3)
    logits = all_logits(sliding_maps(model, picture(70, 101), text, grid))[0]
    assert_close(logits, wanted)
    assert logits.abs().max() > 1


@torch.no_grad()
@pytest.mark.parametrize("flip", [False, True])
def test_the_number_of_windows_at_once_does_not_matter(model, text, picture, flip):
    model, text, image = exact(model, text, picture(70, 150))
    grid = WindowGrid.inside(70, 150, 48, 2 / 3)
    one, *others = (
        all_logits(sliding_maps(model, image, text, grid, flip, batch)) for batch in (1, 2, 3, 100)
    )
    for other in others:
        assert_close(other, one, **EXACT)


@torch.no_grad()
@pytest.mark.parametrize("labels", [1, 127, 129, 300])
def test_many_labels_are_taken_in_parts_from_windows_that_are_shown_once(
    model, picture, labels, monkeypatch
):
    image = picture(90, 130)
    text = F.normalize(torch.randn(labels, WIDTH), dim=1)
    shown = []
    look = model.look
    monkeypatch.setattr(model, "look", lambda pixels: shown.append(len(pixels)) or look(pixels))
    maps = image_maps(model, image, text, InferenceConfig(0, window=48, batch=2))
    best = top_labels(maps, 2)
    assert sum(shown) == 3 * 4
    monkeypatch.undo()
    logits = image_logits(model, image, text, InferenceConfig(0, window=48))
    values, indices = logits.topk(min(2, labels), 0)
    assert_close(best.logits[0], values, **CLOSE)
    assert (best.indices[0] == indices).float().mean() > 0.99  # but for ties within 1e-5


@torch.no_grad()
def test_labels_that_a_spatial_block_mixes_are_not_taken_in_parts(model, text, picture):
    maps = image_maps(model, picture(90, 130), text, InferenceConfig(0, window=48))
    assert [part.labels for part in maps.split(2)] == [2, 2, 1]
    assert all(part.split(1) == [part] for part in maps.source.split(2))
