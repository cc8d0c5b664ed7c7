"""Reading pictures ahead, while the network is busy with earlier ones."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lseg.data.base.decoding import MAX_PIXELS
from lseg.data.base.images import FileName, load_image

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Picture(NamedTuple):
    """A picture that has been read.

    Attributes:
        image: RGB.
        pixels: (3, H, W) uint8; in pinned memory if asked for.
    """

    image: Image.Image
    pixels: Tensor


def read_picture(
    source: FileName | Image.Image | np.ndarray,
    pin: bool = False,
    upright: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> Picture:
    """Reads and decodes a picture; see `lseg.data.base.images.load_image`.

    Args:
        source: A file, a PIL image, or an (H, W, 3) uint8 array.
        pin: Put the pixels into pinned memory, from where CUDA copies them in the background.
        upright: Turn the picture as its EXIF orientation says.
        max_pixels: Largest width times height of a file's picture.

    Raises:
        ImageError: If it cannot be read.
    """
    image = load_image(source, upright, max_pixels)
    pixels = TF.pil_to_tensor(image)
    return Picture(image, pixels.pin_memory() if pin else pixels)


def prefetch(
    items: Iterable[ItemT], load: Callable[[ItemT], ResultT], ahead: int = 2
) -> Iterator[tuple[ItemT, ResultT]]:
    """Items with what `load` makes of them, in order; `ahead` of them are loaded by threads.

    An error of `load` is raised when its item's turn comes, and ends the iteration.
    """
    for item, result in read_ahead(items, load, ahead):
        yield item, result()


def read_ahead(
    items: Iterable[ItemT], load: Callable[[ItemT], ResultT], ahead: int = 2
) -> Iterator[tuple[ItemT, Callable[[], ResultT]]]:
    """As `prefetch`, but each item comes with a function that returns the result.

    It raises what `load` raised; the iteration can go on.
    """
    pending: deque[tuple[ItemT, Future[ResultT]]] = deque()
    with ThreadPoolExecutor(ahead, "prefetch") as pool:
        try:
            for item in items:
                pending.append((item, pool.submit(load, item)))
                if len(pending) > ahead:
                    first, future = pending.popleft()
                    yield first, future.result
            while pending:
                first, future = pending.popleft()
                yield first, future.result
        finally:
            for _, future in pending:
                future.cancel()
