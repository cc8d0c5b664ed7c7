"""The published evaluation of LSeg against a loop that follows its description step by step."""

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from lseg.errors import ConfigError
from lseg.inference.multi_eval import MultiEvalConfig, scaled_size
from lseg.inference.views import InferenceConfig, image_logits
from lseg.models.maps import all_logits

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)


def interpolate(maps, size):
    return F.interpolate(maps, size, mode="bilinear", align_corners=True)


def naive(model, image, text, base, crop, scales, flip):
    """Everything on normalised pixels and whole logits, as in PyTorch-Encoding; a sum."""
    mean, std = (torch.tensor(v) for v in (model.config.preprocessing.mean,
                                           model.config.preprocessing.std))  # fmt: skip
    black = (-mean / std).view(1, 3, 1, 1)
    pixels = model.normalize(image[None])
    height, width = image.shape[-2:]
    total = image.new_zeros(1, len(text), height, width)
    for scale in scales:
        long = math.ceil(base * scale)
        if height > width:
            size = long, int(width * long / height + 0.5)
        else:
            size = int(height * long / width + 0.5), long
        canvas = black.to(image).expand(1, 3, max(size[0], crop), max(size[1], crop)).clone()
        canvas[..., : size[0], : size[1]] = interpolate(pixels, size)
        rows, columns = canvas.shape[-2:]
        logits, count = canvas.new_zeros(1, len(text), rows, columns), torch.zeros(rows, columns)
        step = int(crop * 2.0 / 3.0)
        for i in range(math.ceil((rows - crop) / step) + 1):
            for j in range(math.ceil((columns - crop) / step) + 1):
                top, left = i * step, j * step
                part = canvas[..., top : top + crop, left : left + crop]
                window = black.to(image).expand(1, 3, crop, crop).clone()
                window[..., : part.shape[2], : part.shape[3]] = part
                output = model(window, text)
                if flip:
                    output = output + model(window.flip(3), text).flip(3)
                area = (..., slice(top, top + part.shape[2]), slice(left, left + part.shape[3]))
                logits[area] += output[..., : part.shape[2], : part.shape[3]]
                count[area] += 1
        assert count.min() > 0
        total += interpolate((logits / count)[..., : size[0], : size[1]], (height, width))
    return total[0]


def maps(model, image, text, config):
    return all_logits(config.maps(model, image, text))[0]


@torch.no_grad()
@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("size", [(70, 101), (101, 70), (64, 64), (40, 130)])
def test_it_equals_the_published_loop(model, text, picture, size, flip):
    model, text, image = model.double(), text.double(), picture(*size).double()
    wanted = naive(model, image, text, 80, 48, SCALES, flip) / (len(SCALES) * (1 + flip))
    config = MultiEvalConfig(80, 48, flip=flip)
    assert config.scales == SCALES
    found = maps(model, image, text, config)
    assert_close(found, wanted, rtol=0, atol=1e-6)  # black is a float32 number in one of them
    assert len(wanted.argmax(0).unique()) > 2
    plain = InferenceConfig(80, SCALES, flip, 48)
    assert (image_logits(model, image, text, plain) - wanted).abs().max() > 1e-2


@torch.no_grad()
def test_a_picture_as_large_as_a_window_is_seen_exactly_as_it_is(model, text, picture):
    image = picture(64, 64)
    config = MultiEvalConfig(64, 64, (1.0,), False)
    assert torch.equal(
        maps(model, image, text, config), model(model.normalize(image[None].float()), text)[0]
    )


@torch.no_grad()
def test_the_number_of_windows_at_once_does_not_matter(model, text, picture):
    model, text, image = model.double(), text.double(), picture(70, 101).double()
    one = maps(model, image, text, MultiEvalConfig(80, 48, batch=1))
    for batch in (2, 5, 64):
        other = maps(model, image, text, MultiEvalConfig(80, 48, batch=batch))
        assert_close(other, one, rtol=0, atol=1e-9)


def test_the_defaults_are_the_published_ones():
    config = MultiEvalConfig()
    assert (config.base_size, config.crop_size, config.flip) == (520, 480, True)
    assert scaled_size(375, 500, 520) == (390, 520)
    assert scaled_size(500, 333, 260) == (260, 173)
    assert scaled_size(1, 1000, 100) == (1, 100)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (0.0,)}, "scales"),
        ({"base_size": 0}, "size"),
        ({"crop_size": 31}, "window"),
        ({"batch": 0}, "window batch"),
    ],
)
def test_values_out_of_range_are_refused_by_name(values, name):
    with pytest.raises(ConfigError, match=name):
        MultiEvalConfig(**values)
