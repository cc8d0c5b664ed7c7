import numpy as np
import pytest
import torch
from drawing import draw
from vit_network import make_model, model  # noqa: F401

from lseg.errors import ConfigError
from lseg.inference.embed_config import (
    EmbedConfig,
    FixedGrid,
    NetworkGrid,
    PictureGrid,
    PictureSizes,
    StrideGrid,
    parse_grid,
)
from lseg.inference.embeddings import embed_picture
from lseg.inference.windows import Windows
from lseg.models.upsample import upsample


def pixels(height, width):
    return torch.from_numpy(draw(height, width)).permute(2, 0, 1)


def embed(model, image, **options):
    return embed_picture(model, image, EmbedConfig(**{"dtype": "float32", **options})).array()


def encoded(model, image):
    """(C, h, w): what the network itself says."""
    return model.encode_image(model.normalize(image[None]))[0]


@pytest.mark.parametrize("size", [(64, 96), (50, 71), (33, 40)])
def test_without_options_it_is_the_network_s_own_output(model, size):
    image = pixels(*size)
    found = embed(model, image, size=0, normalize=False)
    np.testing.assert_allclose(found, encoded(model, image).numpy(), atol=2e-6)


@pytest.mark.parametrize(("height", "width"), [(150, 100), (97, 203), (64, 130)])
def test_windows_are_averaged_where_they_overlap(model, height, width):
    image = pixels(height, width)
    found = embed(model, image, size=0, normalize=False, window=70, stride=0.5)
    total, count = np.zeros(found.shape), np.zeros(found.shape[1:])

    def starts(length):  # on the patch grid of 32, the last one at the end or just beyond
        last = max(0, int(np.ceil((length - 64) / 32)) * 32)
        return sorted({*range(0, last, 32), last})

    for top in starts(height):
        for left in starts(width):
            part = image[:, top : top + 64, left : left + 64]
            if min(part.shape[1:]) < 32:
                pytest.fail("the sizes of this test should leave no window below 32")
            own = encoded(model, part).numpy()
            rows, columns = (
                slice(top // 2, top // 2 + own.shape[1]),
                slice(left // 2, left // 2 + own.shape[2]),
            )
            total[:, rows, columns] += own
            count[rows, columns] += 1
    np.testing.assert_allclose(found, total / count, atol=2e-6)
    assert count.max() > 1


def test_windows_leave_nothing_out_at_the_end_of_a_picture(model):
    for width in (100, 107, 112, 113):
        found = embed(model, pixels(40, width), size=0, window=32)
        assert found.shape == (16, 20, -(-width // 2))
        np.testing.assert_allclose(np.linalg.norm(found, axis=0), 1, atol=1e-5)


def test_a_window_as_large_as_the_picture_changes_nothing(model):
    image = pixels(64, 90)
    assert np.array_equal(embed(model, image, size=0, window=96), embed(model, image, size=0))


def test_windows_are_shown_once_and_forgotten_when_passed(model):
    maps = embed_picture(model, pixels(400, 64), EmbedConfig(size=0, window=64)).maps
    assert isinstance(maps, Windows)
    shown, held, windows = [], [], maps.windows
    show = windows.show
    windows.show = lambda index: shown.append(index) or show(index)
    parts = []
    for start in range(0, maps.size[0], 7):
        parts.append(maps.rows(start, min(start + 7, maps.size[0])))
        held.append(len(windows._shown))
    assert shown == list(range(len(windows.tops)))
    assert max(held) <= 3
    torch.testing.assert_close(torch.cat(parts, dim=2), maps.rows(0, maps.size[0]))


@pytest.mark.parametrize("flip", [False, True])
def test_scales_and_flips_are_averaged_at_the_size_of_the_result(model, flip):
    image = pixels(64, 96)
    found = embed(model, image, size=64, scales=(0.5, 1.0), flip=flip, normalize=False)
    views = []
    for size in (32, 64):
        for mirrored in (False, True) if flip else (False,):
            part = torch.nn.functional.interpolate(
                image[None], (size, size * 3 // 2), mode="bilinear", antialias=True
            )[0]
            own = encoded(model, part.flip(-1) if mirrored else part)
            own = upsample(own[None], (32, 48))[0]
            views.append(own.flip(-1) if mirrored else own)
    np.testing.assert_allclose(found, torch.stack(views).mean(0).numpy(), atol=2e-4)


def test_layouts_hold_the_same_numbers(model):
    image = pixels(50, 70)
    plain = embed(model, image)
    assert np.array_equal(embed(model, image, layout="HWC"), plain.transpose(1, 2, 0))
    assert np.array_equal(embed(model, image, layout="NCHW"), plain[None])
    assert embed(model, image, layout="HWC").flags["C_CONTIGUOUS"]


def test_grids_choose_the_size():
    sizes = PictureSizes(picture=(300, 401), network=(64, 86), output=(32, 43))
    assert NetworkGrid().size(sizes) == (32, 43)
    assert PictureGrid().size(sizes) == (300, 401)
    assert StrideGrid(4).size(sizes) == (16, 22)
    assert FixedGrid(7, 9).size(sizes) == (7, 9)
    for text in ("network", "picture", "24x32"):
        assert str(parse_grid(text)) == text


@pytest.mark.parametrize("text", ["", "24", "0x3", "24x", "all", "-1x5"])
def test_grids_that_mean_nothing_are_refused(text):
    with pytest.raises(ConfigError, match="HEIGHTxWIDTH"):
        parse_grid(text)


@pytest.mark.parametrize(
    "options",
    [{"layout": "WHC"}, {"dtype": "int8"}, {"long_side": 3}, {"window": 8}, {"scales": ()}],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigError):
        EmbedConfig(**options)


def test_the_longer_side_can_be_given(model):
    assert embed(model, pixels(60, 120), long_side=128).shape == (16, 32, 64)
    assert embed(model, pixels(120, 60), long_side=128).shape == (16, 64, 32)
