"""Legends: which colour is which label."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from lseg.visualize.colours import colour_map
from lseg.visualize.lettering import set_lines


def with_legend(
    picture: np.ndarray, labels: Sequence[str], colours: np.ndarray, shown: Sequence[int] = ()
) -> Image.Image:
    """The picture with a legend below it.

    Args:
        picture: (H, W, 3) uint8.
        labels: Label names.
        colours: (N, 3) uint8.
        shown: Indices of the labels to name; all if empty.

    Returns:
        An RGB image at least as wide and higher than the picture.
    """
    entries = list(shown) or list(range(len(labels)))
    height, width = picture.shape[:2]
    width = max(width, 200)
    text_size = int(min(24, max(12, width / 40)))
    lines = dict(zip(entries, set_lines([labels[i] for i in entries], text_size), strict=True))
    swatch, gap = text_size, text_size // 2
    longest = max(line.width for line in lines.values())
    width = max(width, gap + swatch + gap // 2 + longest + 2 * gap)
    rows, x = [[]], gap  # type: list[list[tuple[int, int]]], int
    for index in entries:
        length = swatch + gap // 2 + lines[index].width + 2 * gap
        if rows[-1] and x + length > width:
            rows.append([])
            x = gap
        rows[-1].append((index, x))
        x += length
    step = text_size + gap
    canvas = Image.new("RGB", (width, height + step * len(rows) + gap), "white")
    canvas.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, row in enumerate(rows):
        y = height + gap + number * step
        for index, left in row:
            fill = tuple(int(value) for value in colours[index])
            draw.rectangle((left, y, left + swatch, y + swatch), fill=fill, outline="black")
            line = lines[index]
            place = (left + swatch + gap // 2, y + swatch / 2)
            draw.text(place, line.text, "black", line.font, "lm")
    return canvas


def comparison(
    image: np.ndarray,
    truth: np.ndarray,
    prediction: np.ndarray,
    labels: Sequence[str],
    colours: np.ndarray,
) -> Image.Image:
    """A picture, its truth and its prediction side by side, with a legend.

    Args:
        image: (H, W, 3) uint8.
        truth: (H, W) indices into `labels`; others are black.
        prediction: (H, W) indices into `labels`.
        labels: Label names.
        colours: (N, 3) uint8.
    """
    maps = [colour_map(part.astype(np.uint16), colours) for part in (truth, prediction)]
    shown = np.union1d(truth[truth < len(labels)], prediction)
    gap = np.full((image.shape[0], 4, 3), 255, np.uint8)
    row = np.concatenate([image, gap, maps[0], gap, maps[1]], axis=1)
    return with_legend(row, labels, colours, shown.astype(int).tolist())
