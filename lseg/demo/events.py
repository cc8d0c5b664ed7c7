"""What the page's events do. A visitor's mistake becomes a line of text, never an exception."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import gradio as gr

from lseg.demo.results import label_map_png, overlay_png, summary_json
from lseg.demo.service import Service
from lseg.demo.uploads import Upload, offered_file, uploaded_path
from lseg.demo.viewer import (
    Message,
    answer_message,
    empty_message,
    error_message,
    heat_message,
    pixel_message,
)
from lseg.errors import ImageError, LabelError, LSegError
from lseg.inference.segmenter import Segmentation

P = ParamSpec("P")
Download = tuple[str | None, Message]


def _said(
    event: Callable[Concatenate["PageEvents", P], Message],
) -> Callable[Concatenate["PageEvents", P], Message]:
    """Errors of this project become messages; a picture that cannot be used clears the view."""

    @wraps(event)
    def wrapped(self: "PageEvents", *args: P.args, **kwargs: P.kwargs) -> Message:
        try:
            return event(self, *args, **kwargs)
        except LSegError as error:
            return error_message(_sentence(error), isinstance(error, ImageError))

    return wrapped


class PageEvents:
    """Handlers of a page over a service. They keep nothing: all they need comes with the event."""

    def __init__(self, service: Service) -> None:
        """`service` answers."""
        self._service = service

    @_said
    def answer(self, picture: Upload, labels: str, other: bool) -> Message:
        """The picture by the labels."""
        if picture is None:
            return empty_message()
        path = uploaded_path(picture)
        found = self._service.picture(path)
        try:
            return answer_message(self._service.segment(found.shown, labels, other), str(path))
        except LabelError as error:
            return error_message(_sentence(error))

    @_said
    def heat(self, picture: Upload, labels: str, other: bool, event: gr.EventData) -> Message:
        """Where the label of a legend entry is probable."""
        found = self._service.picture(uploaded_path(picture))
        segmentation = self._service.segment(found.shown, labels, other)
        index = _whole(event, "index")
        if not 0 <= index < len(segmentation.labels):
            raise LabelError(f"there is no label number {index}: the labels have changed")
        return heat_message(segmentation.probability(index), index)

    @_said
    def pixel(self, picture: Upload, labels: str, other: bool, event: gr.EventData) -> Message:
        """The best labels of a pixel."""
        found = self._service.picture(uploaded_path(picture))
        x, y = _whole(event, "x"), _whole(event, "y")
        return pixel_message(self._service.ranking(found, labels, other, x, y))

    def save_map(self, picture: Upload, labels: str, other: bool) -> Download:
        """The label map as a file."""
        return self._file("label_map.png", label_map_png, picture, labels, other)

    def save_overlay(self, picture: Upload, labels: str, other: bool, opacity: float) -> Download:
        """The overlay as a file."""
        return self._file(
            "overlay.png", lambda found: overlay_png(found, float(opacity)), picture, labels, other
        )

    def save_masks(self, picture: Upload, labels: str, other: bool) -> Download:
        """Labels, shares and COCO masks as a file."""
        return self._file("masks.json", summary_json, picture, labels, other)

    def _file(
        self,
        name: str,
        write: Callable[[Segmentation], bytes],
        picture: Upload,
        labels: str,
        other: bool,
    ) -> Download:
        """A path of a new file, at the picture's own size, or a message why there is none."""
        try:
            found = self._service.picture(uploaded_path(picture))
            data = write(self._service.segment(found.full, labels, other))
        except LSegError as error:
            return None, error_message(_sentence(error))
        return offered_file(data, name), gr.skip()


def _whole(event: gr.EventData, name: str) -> int:
    """A number that the page's script sent."""
    value: Any = getattr(event, name, None)
    if isinstance(value, int):
        return value
    raise LabelError(f"the page sent no {name}: load it again")


def _sentence(error: LSegError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
