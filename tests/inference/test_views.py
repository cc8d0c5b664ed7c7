import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from lseg.errors import ConfigError
from lseg.inference.views import (
    InferenceConfig,
    image_logits,
    resize_short_side,
    to_tensor,
)

EXACT = {"rtol": 0, "atol": 1e-6}  # but for the order of additions


def test_logits_have_the_size_of_the_picture(model, text, picture):
    for height, width in [(33, 71), (64, 64), (90, 41), (20, 50)]:
        logits = image_logits(model, picture(height, width), text)
        assert logits.shape == (5, height, width)
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()


@torch.no_grad()
def test_a_picture_of_the_network_s_own_size_is_shown_as_it_is(model, text, picture):
    image = picture(64, 96)
    wanted = model(model.normalize(image[None]), text)[0]
    assert_close(image_logits(model, image, text), wanted, **EXACT)
    assert_close(
        image_logits(model, image, text, InferenceConfig(size=0)), wanted, rtol=0, atol=1e-6
    )
    assert not torch.equal(image_logits(model, image, text, InferenceConfig(size=48)), wanted)


@pytest.mark.parametrize("window", [None, 32])
@pytest.mark.parametrize("size", [(64, 96), (45, 71)])
def test_with_flip_a_mirrored_picture_has_mirrored_logits(model, text, picture, size, window):
    image = picture(*size)
    config = InferenceConfig(flip=True, window=window)
    logits = image_logits(model, image, text, config)
    mirrored = image_logits(model, image.flip(-1), text, config)
    torch.testing.assert_close(mirrored.flip(-1), logits, atol=1e-4, rtol=0)
    plain = image_logits(model, image, text, InferenceConfig(window=window))
    assert not torch.allclose(plain, logits, atol=1e-2)


def test_scales_and_flips_are_averaged(model, text, picture):
    image = picture(50, 71)
    parts = [
        image_logits(model, view, text, InferenceConfig(scales=(scale,))).flip(mirrored)
        for scale in (0.75, 1.5)
        for view, mirrored in ((image, ()), (image.flip(-1), (-1,)))
    ]
    both = image_logits(model, image, text, InferenceConfig(scales=(0.75, 1.5), flip=True))
    torch.testing.assert_close(both, sum(parts) / 4, atol=1e-4, rtol=0)


def test_a_scale_is_a_factor_on_the_size(model, text, picture):
    image = picture(50, 71)
    scaled = image_logits(model, image, text, InferenceConfig(size=64, scales=(1.5,)))
    assert_close(
        scaled, image_logits(model, image, text, InferenceConfig(size=96)), rtol=0, atol=1e-6
    )
    own = image_logits(model, image, text, InferenceConfig(size=0, scales=(2.0,)))
    assert_close(
        own, image_logits(model, image, text, InferenceConfig(size=100)), rtol=0, atol=1e-6
    )


def test_the_short_side_gets_the_size_and_the_long_side_follows():
    for height, width, wanted in [(100, 200, (48, 96)), (200, 100, (96, 48)), (30, 45, (48, 72))]:
        image = torch.zeros(3, height, width, dtype=torch.uint8)
        assert resize_short_side(image, 48).shape == (3, *wanted)


def test_size_zero_and_the_right_size_return_the_picture_itself():
    image = torch.zeros(3, 50, 70, dtype=torch.uint8)
    assert resize_short_side(image, 0) is image
    assert resize_short_side(image, 50) is image


def test_a_picture_that_is_too_narrow_for_the_network_is_stretched():
    assert resize_short_side(torch.zeros(3, 5, 90, dtype=torch.uint8), 0).shape == (3, 32, 90)


def test_resizing_is_antialiased_bilinear_as_pillow_does_it(picture):
    image = picture(128, 96, block=3)
    resized = resize_short_side(image, 40)
    pillow = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((40, 53), Image.BILINEAR)
    difference = resized.int() - to_tensor(pillow).int()
    assert difference.abs().max() <= 1


def test_to_tensor_keeps_rows_columns_and_channels_apart():
    array = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
    tensor = to_tensor(Image.fromarray(array))
    assert tensor.shape == (3, 2, 5)
    assert tensor.dtype == torch.uint8
    assert tensor[2, 1, 3] == array[1, 3, 2]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (1.0, 0.0)}, "scales"),
        ({"scales": (-1.0,)}, "scales"),
        ({"stride": 0.0}, "stride"),
        ({"stride": 1.5}, "stride"),
        ({"window": 31}, "window"),
        ({"window": 0}, "window"),
        ({"batch": 0}, "window batch"),
        ({"size": -1}, "size"),
    ],
)
def test_values_out_of_range_are_refused_by_name(values, name):
    with pytest.raises(ConfigError, match=name):
        InferenceConfig(**values)


def test_a_scale_that_would_leave_no_pixel_does_not_mean_full_size(model, text, picture):
    image = picture(40, 60)
    logits = image_logits(model, image, text, InferenceConfig(size=0, scales=(0.01,)))
    smallest = image_logits(model, image, text, InferenceConfig(size=1))
    assert_close(logits, smallest, **EXACT)
