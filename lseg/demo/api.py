"""The demo's API: `/segment` and `/embed`, for gradio_client and for anything that speaks HTTP."""

import html
import math
from typing import Any, Literal

import gradio as gr

from lseg.demo.results import label_map_png, npy, overlay_png, summary
from lseg.demo.service import Service
from lseg.demo.uploads import Upload, offered_file, uploaded_path
from lseg.errors import ConfigError, LSegError


class Api:
    """Handlers of the API over a service."""

    def __init__(self, service: Service) -> None:
        """`service` answers."""
        self._service = service

    def segment(
        self, picture: Upload, labels: str, other: bool, opacity: float
    ) -> tuple[str, str, dict[str, Any]]:
        """Segment a picture by labels.

        Returns the label map (PNG, one 8-bit channel of indices into the labels, at the picture's
        own size), the overlay with its legend (PNG), and a JSON object: width, height, labels
        (index, label, color, share of the area) and masks (COCO run-length encoding, box and area
        of each label that occurs).
        """
        try:
            found = self._service.picture(uploaded_path(picture))
            segmentation = self._service.segment(found.full, labels, bool(other))
            share = parse_number(opacity, "opacity")
        except LSegError as error:
            raise _refused(error) from None
        return (
            offered_file(label_map_png(segmentation), "label_map.png"),
            offered_file(overlay_png(segmentation, share), "overlay.png"),
            summary(segmentation),
        )

    def embed(
        self,
        picture: Upload,
        height: float,
        width: float,
        dtype: Literal["float16", "float32"],
        normalize: bool,
    ) -> str:
        """Pixel embeddings of a picture, in the space of the label vectors.

        Returns a NumPy file (C, height, width). Height and width 0 give the network's own output
        size. With `normalize` each embedding has length 1.
        """
        try:
            path = uploaded_path(picture)
            size = int(parse_number(height, "height")), int(parse_number(width, "width"))
            found = self._service.embed(path, size, dtype, bool(normalize))
        except LSegError as error:
            raise _refused(error) from None
        return offered_file(npy(found), "embeddings.npy")


def add_api(service: Service) -> None:
    """Puts the two endpoints into the page that is being built, out of sight."""
    api = Api(service)
    with gr.Row(visible=False):
        picture = gr.Image(type="filepath", image_mode=None, label="picture")
        labels = gr.Textbox(label="labels")
        other = gr.Checkbox(True, label="other")
        opacity = gr.Slider(0, 1, 0.55, label="opacity")
        height = gr.Number(0, precision=0, label="height")
        width = gr.Number(0, precision=0, label="width")
        dtype = gr.Radio(["float16", "float32"], value="float16", label="dtype")
        normalize = gr.Checkbox(True, label="normalize")
        label_map, overlay = gr.File(label="label map"), gr.File(label="overlay")
        answer, embeddings = gr.JSON(label="answer"), gr.File(label="embeddings")
        segment, embed = gr.Button(), gr.Button()
    segment.click(
        api.segment,
        [picture, labels, other, opacity],
        [label_map, overlay, answer],
        api_name="segment",
        concurrency_id="api",
        preprocess=False,
    )
    embed.click(
        api.embed,
        [picture, height, width, dtype, normalize],
        embeddings,
        api_name="embed",
        concurrency_id="api",
        preprocess=False,
    )


def parse_number(value: object, name: str) -> float:
    """A number that a client sent.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    raise ConfigError(f"{name} is {value!r}: give a number")


def _refused(error: LSegError) -> gr.Error:
    # Gradio shows messages as HTML, and what a visitor typed may be part of this one.
    return gr.Error(html.escape(str(error), quote=False), print_exception=False)
