import threading

import numpy as np
import pytest
from PIL import Image

from lseg.errors import ImageError
from lseg.inference.prefetch import prefetch, read_picture


def test_items_come_in_order_with_what_was_loaded():
    assert list(prefetch(range(20), lambda n: n * n)) == [(n, n * n) for n in range(20)]
    assert list(prefetch([], str)) == []


def test_loading_goes_on_while_an_item_is_in_use_but_not_far():
    loaded, third = [], threading.Event()

    def load(item):
        loaded.append(item)
        if item == 2:
            third.set()

    stream = prefetch(range(10), load)
    next(stream)
    assert third.wait(60)
    assert sorted(loaded) == [0, 1, 2]
    next(stream)
    stream.close()
    assert max(loaded) <= 4


def test_an_error_comes_when_its_item_is_due():
    def load(item):
        if item == 1:
            raise ImageError("broken")
        return item

    stream = prefetch(range(5), load)
    assert next(stream) == (0, 0)
    with pytest.raises(ImageError, match="broken"):
        next(stream)


def test_a_picture_has_pixels_in_the_network_s_order():
    array = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    picture = read_picture(Image.fromarray(array))
    assert np.array_equal(picture.pixels.permute(1, 2, 0).numpy(), array)
    assert picture.image.size == (7, 5)
