"""The demo's API, for gradio_client and for anything that speaks HTTP."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from gradio.components import Component

from lseg.demo.marks import read_label, read_marks
from lseg.demo.results import label_map_png, npy, overlay_png, summary
from lseg.demo.service import Service
from lseg.demo.uploads import Upload, offered_file, uploaded_path
from lseg.demo.visitors import Taught
from lseg.errors import ConfigError, LSegError

MOST = 1e9
"""Numbers are smaller, and an infinite one or none at all is no number."""

Endpoint = tuple[Callable[..., Any], list[Component], list[Component]]


class Api:
    """Handlers of the API over a service."""

    def __init__(self, service: Service) -> None:
        """`service` answers."""
        self._service = service

    def segment(
        self, picture: Upload, labels: str, other: bool, opacity: float, memory: str
    ) -> tuple[str, str, dict[str, Any]]:
        """Segment a picture by labels, and by the examples of a memory if its key is given.

        Returns the label map (PNG, one 8-bit channel of indices into the labels, at the picture's
        own size), the overlay with its legend (PNG), and a JSON object: width, height, labels
        (index, label, color, share of the area) and masks (COCO run-length encoding, box and area
        of each label that occurs).
        """
        try:
            found = self._service.picture(uploaded_path(picture))
            taught = self._taught(memory) if memory else None
            segmentation = self._service.segment(found.full, labels, bool(other), taught)
            share = parse_number(opacity, "opacity")
        except LSegError as error:
            raise _refused(error) from None
        return (
            offered_file(label_map_png(segmentation), "label_map.png"),
            offered_file(overlay_png(segmentation, share), "overlay.png"),
            summary(segmentation),
        )

    def teach(
        self, picture: Upload, label: str, marks: object, memory: str
    ) -> tuple[str, dict[str, int]]:
        """The picture shows a label: an example for a memory, a new one if its key is empty.

        Marks are JSON, in pixels of the picture: {"points": [[x, y], ...]}, {"strokes": [[[x, y],
        ...], ...]}, both with the "width" of the brush if wanted, or {"box": [left, top, right,
        bottom]}. Returns the memory's key, which whoever has it can use, and how many examples
        there are of each label. A memory is forgotten half an hour after its last use.
        """
        service = self._service
        try:
            path = uploaded_path(picture)
            found = service.picture(path)
            sizes = found.full.image.size, found.shown.image.size
            read = read_marks(marks, *sizes, service.limits)
            read_label(label, service.limits)
            if memory:
                key, taught = memory, self._taught(memory)
            else:
                key, taught = service.visitors.begin()
            service.teach(found, read, label, taught, Path(str(path)).name)
        except LSegError as error:
            raise _refused(error) from None
        return key, taught.counts

    def forget(self, memory: str, label: str) -> dict[str, int]:
        """Forget the examples of a label; returns how many there are of each label left."""
        try:
            taught = self._taught(memory)
            taught.remove(read_label(label, self._service.limits))
        except LSegError as error:
            raise _refused(error) from None
        return taught.counts

    def memory(self, memory: str) -> str:
        """The examples of a memory as a safetensors file, for `lseg predict --memory`."""
        try:
            return offered_file(self._taught(memory).file(), "memory.safetensors")
        except LSegError as error:
            raise _refused(error) from None

    def load(self, file: Upload, memory: str) -> tuple[str, dict[str, int]]:
        """A safetensors file of examples joins a memory, or begins one if the key is empty.

        It is one that `/memory` or `lseg memory` made, for this model. Returns as `/teach`.
        """
        try:
            if memory:
                self._taught(memory)  # not another in its place
            key, taught = self._service.load(uploaded_path(file), memory)
        except LSegError as error:
            raise _refused(error) from None
        return key, taught.counts

    def _taught(self, memory: object) -> Taught:
        found = self._service.visitors.find(memory) if isinstance(memory, str) else None
        if found is None:
            minutes = self._service.limits.idle // 60
            raise ConfigError(
                f"there is no such memory, or it was not used for {minutes} minutes: /teach "
                "without one begins one, and gives its key"
            )
        return found

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
    """Puts the endpoints into the page that is being built, out of sight."""
    api = Api(service)
    with gr.Row(visible=False):
        picture = gr.Image(type="filepath", image_mode=None, label="picture")
        labels, label = gr.Textbox(label="labels"), gr.Textbox(label="label")
        other = gr.Checkbox(True, label="other")
        opacity = gr.Slider(0, 1, 0.55, label="opacity")
        height = gr.Number(0, precision=0, label="height")
        width = gr.Number(0, precision=0, label="width")
        dtype = gr.Radio(["float16", "float32"], value="float16", label="dtype")
        normalize = gr.Checkbox(True, label="normalize")
        marks, memory = gr.JSON(label="marks"), gr.Textbox("", label="memory")
        label_map, overlay = gr.File(label="label map"), gr.File(label="overlay")
        answer, embeddings = gr.JSON(label="answer"), gr.File(label="embeddings")
        key, counts = gr.Textbox(label="memory"), gr.JSON(label="examples of each label")
        held, brought = gr.File(label="memory"), gr.File(label="file")
    endpoints: tuple[Endpoint, ...] = (
        (api.segment, [picture, labels, other, opacity, memory], [label_map, overlay, answer]),
        (api.embed, [picture, height, width, dtype, normalize], [embeddings]),
        (api.teach, [picture, label, marks, memory], [key, counts]),
        (api.forget, [memory, label], [counts]),
        (api.memory, [memory], [held]),
        (api.load, [brought, memory], [key, counts]),
    )
    for answered, inputs, outputs in endpoints:
        gr.Button(visible=False).click(
            answered,
            inputs,
            outputs,
            api_name=answered.__name__,
            concurrency_id="api",
            preprocess=False,
        )


def parse_number(value: object, name: str) -> float:
    """A number that a client sent.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(value, int | float) and abs(value) < MOST:
        return value
    raise ConfigError(f"{name} is {value!r:.60}: give a number")


def _refused(error: LSegError) -> gr.Error:
    # Gradio shows messages as HTML, and what a visitor typed may be part of this one.
    return gr.Error(html.escape(str(error), quote=False), print_exception=False)
