"""Joint augmentation: geometry, distribution and reproducibility."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from lseg.data.base.transforms import AugmentConfig, JointTransform
from lseg.errors import ConfigError

IGNORE = 255


def _scene(height: int = 120, width: int = 160) -> tuple[torch.Tensor, torch.Tensor]:
    """A black picture with a red rectangle of class 1 on class 0, well inside."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    mask = torch.zeros(height, width, dtype=torch.uint8)
    rows, columns = slice(height // 4, height // 2), slice(width // 4, width // 2)
    image[0, rows, columns] = 255
    mask[rows, columns] = 1
    return image, mask


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(crop=96),
        AugmentConfig(crop=96, scale=(3.0, 4.0)),
        AugmentConfig(crop=200, scale=(0.3, 0.5)),
        AugmentConfig(crop=96, base_size=300, scale=(0.9, 1.1)),
        AugmentConfig(crop=64, color=0.4),
    ],
)
def test_image_and_mask_stay_aligned(config: AugmentConfig) -> None:
    """Red pixels are class 1, also after scaling; the border of a rectangle may be off by half."""
    transform = JointTransform(config, IGNORE)
    red_pixels = 0
    for index in range(20):
        image, mask = transform(*_scene(), seed=(0, 0, index))
        assert image.shape == (3, config.crop, config.crop)
        assert (image.dtype, mask.dtype, mask.shape) == (torch.uint8, torch.int64, image.shape[1:])
        assert type(image) is torch.Tensor
        assert type(mask) is torch.Tensor
        assert set(mask.unique().tolist()) <= {0, 1, IGNORE}
        spread = image.long().amax(0) - image.long().amin(0)  # colour jitter keeps it apart
        outside = mask == IGNORE
        if config.color == 0:
            assert torch.equal((image == 127).all(0) | outside, outside)
            assert bool((image[:, outside] == 127).all())
        red = (spread > 64) & ~outside
        disagree = red != (mask == 1)
        # Differences lie on the outline only: nothing is left after removing a pixel around it.
        kept = torch.nn.functional.max_pool2d(-disagree[None].float(), 3, 1, 1)
        assert float(kept.min()) == 0, "image and mask differ by more than an outline"
        red_pixels += int(red.sum())
    assert red_pixels > 1000


def test_mask_lies_on_the_grid_of_the_image() -> None:
    """Shrinking: a pixel of the mask must come from the centre, where the image's comes from."""
    stripes = (torch.arange(400) // 4 % 2).to(torch.uint8).expand(400, 400)
    config = AugmentConfig(crop=100, scale=(0.37, 0.37), flip=0)
    image, mask = JointTransform(config)((stripes * 255).expand(3, -1, -1), stripes, seed=(1,))
    bright = image[0].float() / 255
    left, right = (
        float(((bright - bright.mean()) * mask.float().roll(by, 1)).mean()) for by in (-1, 1)
    )
    assert abs(left - right) < 0.05  # the legacy nearest grid, half a pixel off, gives 0.2


def test_scale_and_place_cover_their_ranges() -> None:
    """Distances between marks give the scale; their position the place of the crop."""
    ramp = torch.arange(200, dtype=torch.uint8).expand(200, 200)
    config = AugmentConfig(crop=50, scale=(0.5, 2.0), flip=0)
    transform = JointTransform(config)
    scales, lefts = [], []
    for index in range(300):
        _, mask = transform(ramp.expand(3, -1, -1), ramp, seed=(0, 0, index))
        first, last = int(mask[0, 0]), int(mask[0, -1])
        scales.append(49 / (last - first))
        lefts.append(first / (200 - (last - first)))
    assert 0.48 < min(scales) < 0.56
    assert 1.85 < max(scales) < 2.15
    assert np.mean(scales) == pytest.approx(1.25, abs=0.08)
    assert min(lefts) < 0.05
    assert max(lefts) > 0.95
    assert np.mean(lefts) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize(("side", "scale"), [("short", 1.0), ("long", 0.5)])
def test_base_size_is_of_the_side_that_is_named(side: str, scale: float) -> None:
    ramp = torch.arange(200, dtype=torch.uint8).expand(100, 200)
    config = AugmentConfig(crop=50, scale=(1, 1), base_size=100, base_side=side, flip=0)  # type: ignore[arg-type]
    _, mask = JointTransform(config)(ramp.expand(3, -1, -1), ramp, seed=(0,))
    assert int(mask[20, -1]) - int(mask[20, 0]) == pytest.approx(49 / scale, abs=1)


def test_small_picture_is_placed_at_random_in_the_crop() -> None:
    transform = JointTransform(AugmentConfig(crop=64, scale=(1, 1), flip=0), ignore_index=-1)
    picture = torch.full((3, 10, 20), 9, dtype=torch.uint8)
    tops = set()
    for index in range(40):
        image, mask = transform(picture, torch.ones(10, 20), seed=(index,))
        inside = (mask == 1).nonzero()
        assert len(inside) == 200
        assert bool((mask[mask != 1] == -1).all())
        assert bool((image[:, mask == 1] == 9).all())
        tops.add(int(inside[0, 0]))
    assert len(tops) > 10


@pytest.mark.parametrize(
    ("flip", "mirrored"), [(0.0, [False]), (1.0, [True]), (0.5, [False, True])]
)
def test_flip(flip: float, mirrored: list[bool]) -> None:
    transform = JointTransform(AugmentConfig(crop=32, scale=(1, 1), flip=flip))
    image = torch.arange(32, dtype=torch.uint8).expand(3, 32, 32)
    seen = set()
    for index in range(30):
        out, mask = transform(image, image[0], seed=(index,))
        assert torch.equal(out[0].long(), mask)
        seen.add(bool(mask[0, 0] == 31))
    assert sorted(seen) == mirrored


def _numpy_state() -> str:
    """State of numpy's global generator, which nothing here may draw from."""
    return repr(np.random.get_state(legacy=False))


def test_choices_depend_on_the_seed_alone() -> None:
    scene = _scene()
    transform = JointTransform(AugmentConfig(crop=64, color=0.5))
    torch.manual_seed(0)
    first = transform(*scene, seed=(1, 2, 3))
    torch.manual_seed(1)
    random.seed(5)
    states = torch.get_rng_state(), random.getstate(), _numpy_state()
    again = transform(*scene, seed=(1, 2, 3))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    # No generator of the process was moved: torchvision draws from torch's, which is put back.
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert _numpy_state() == states[2]
    for other in ((0, 2, 3), (1, 0, 3), (1, 2, 0), (2, 1, 3)):
        assert not torch.equal(first[0], transform(*scene, seed=other)[0])


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (500, 2), (33, 31)])
def test_any_size(size: tuple[int, int]) -> None:
    transform = JointTransform(AugmentConfig(crop=16, scale=(0.01, 9.0)))
    for index in range(30):
        image, mask = transform(
            torch.zeros(3, *size, dtype=torch.uint8), torch.zeros(size), seed=(index,)
        )
        assert image.shape[1:] == mask.shape == (16, 16)
        assert bool((mask == 0).any())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"crop": 0}, "augment.crop is 0"),
        ({"scale": (2.0, 0.5)}, "augment.scale is .*lo <= hi"),
        ({"scale": (0.0, 0.5)}, "augment.scale"),
        ({"base_size": 0}, "augment.base_size"),
        ({"flip": 2.0}, "augment.flip"),
        ({"color": 1.5}, "augment.color"),
        ({"fill": (0, 0, 300)}, "augment.fill"),
    ],
)
def test_bad_values_are_named(values: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        AugmentConfig(**values)
