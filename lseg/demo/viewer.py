"""The page's view of a segmented picture, and the messages that Python sends to it."""

import base64
import io
import time
from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from lseg.data.base.labels import display_names
from lseg.demo.service import Ranking
from lseg.inference.segmenter import Segmentation
from lseg.paths import ASSETS
from lseg.visualize import depth_colours, label_colours

Message = dict[str, Any]
"""What the script `viewer.js` gets: parts that it replaces, all others stay as they are."""


def viewer() -> gr.HTML:
    """An empty view with its events.

    They are `pixel` (x, y of the shown picture), `heat` (index), `teach` (label, and marks as
    `read_marks` takes them, in pixels of the shown picture) and `forget` (label).
    """
    folder = ASSETS / "demo"
    html, css, script, teaching = (
        (folder / name).read_text("utf-8")
        for name in ("viewer.html", "viewer.css", "viewer.js", "teach.js")
    )
    return gr.HTML(
        html_template=html,
        css_template=css,
        js_on_load=script + teaching,
        apply_default_css=False,
        elem_id="viewer",
    )


def answer_message(
    segmentation: Segmentation,
    key: str,
    taught: Mapping[str, int] | None = None,
    message: str | None = None,
) -> Message:
    """A segmented picture.

    Args:
        segmentation: It.
        key: Tells pictures apart.
        taught: How many examples there are of each label.
        message: A line below the picture.
    """
    colours = label_colours(segmentation.labels).tolist()
    return _message(
        key=key,
        picture=_source(segmentation.image, "JPEG"),
        map=_source(Image.fromarray(segmentation.label_map), "PNG"),
        labels=[
            {"name": name, "color": colour, "share": share}
            for name, share, colour in zip(
                display_names(segmentation.labels),
                segmentation.shares.values(),
                colours,
                strict=True,
            )
        ],
        notes=segmentation.notes,
        taught=_rows(taught or {}),
        message=message,
    )


def heat_message(probability: np.ndarray, index: int) -> Message:
    """Where a label is probable, (H, W) in [0, 1]: dark blue over red to light yellow."""
    picture = Image.fromarray(depth_colours(probability))
    return _message(heat={"index": index, "source": _source(picture, "JPEG")})


def pixel_message(ranking: Ranking) -> Message:
    """The best labels of a pixel."""
    names = display_names([label for label, _ in ranking.labels])
    labels = [(name, share) for name, (_, share) in zip(names, ranking.labels, strict=True)]
    x, y = ranking.pixel
    return _message(pixel={"x": x, "y": y, "labels": labels, "vocabulary": ranking.vocabulary})


def error_message(
    text: str, empty: bool = False, taught: Mapping[str, int] | None = None
) -> Message:
    """A line below the picture, which is taken away if `empty`; what is taught stays, or is new."""
    rows = None if taught is None else _rows(taught)
    return _message(message=text, empty=empty, taught=rows)


def empty_message() -> Message:
    """No picture, and nothing to say."""
    return _message(empty=True)


def _message(**parts: Any) -> Message:
    return {**parts, "stamp": str(time.monotonic_ns())}  # no two are equal, so each is shown


def _rows(taught: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"label": label, "examples": count} for label, count in taught.items()]


def _source(picture: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    picture.save(file, kind, quality=88)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{data}"
