"""What the page's events do. A visitor's mistake becomes a line of text, never an exception."""

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import gradio as gr

from lseg.demo.marks import read_label, read_marks
from lseg.demo.questions import with_label
from lseg.demo.results import label_map_png, overlay_png, summary_json
from lseg.demo.service import Picture, Service
from lseg.demo.uploads import Upload, offered_file, uploaded_path
from lseg.demo.viewer import (
    Message,
    answer_message,
    empty_message,
    error_message,
    heat_message,
    pixel_message,
)
from lseg.demo.visitors import Taught
from lseg.errors import ImageError, LabelError, LSegError
from lseg.inference.segmenter import Segmentation

FORGOTTEN = "What you taught has been forgotten: nobody had asked for long. Teach it again."

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
    """Handlers of a page over a service. They keep nothing: all they need comes with the event.

    `memory` is the key of what the visitor has taught; empty, if nothing yet.
    """

    def __init__(self, service: Service) -> None:
        """`service` answers."""
        self._service = service

    @_said
    def answer(self, picture: Upload, labels: str, other: bool, memory: str) -> Message:
        """The picture by the labels."""
        if picture is None:
            return empty_message()
        path = uploaded_path(picture)
        found = self._service.picture(path)
        return self._answered(found, str(path), labels, other, memory)

    @_said
    def heat(
        self, picture: Upload, labels: str, other: bool, memory: str, event: gr.EventData
    ) -> Message:
        """Where the label of a legend entry is probable."""
        found = self._service.picture(uploaded_path(picture))
        taught = self._taught(memory)
        segmentation = self._service.segment(found.shown, labels, other, taught)
        index = _whole(event, "index")
        if not 0 <= index < len(segmentation.labels):
            raise LabelError(f"there is no label number {index}: the labels have changed")
        heat = heat_message(segmentation.probability(index), index)
        return {**heat, "message": _gone(memory, taught)}

    @_said
    def pixel(
        self, picture: Upload, labels: str, other: bool, memory: str, event: gr.EventData
    ) -> Message:
        """The best labels of a pixel."""
        found = self._service.picture(uploaded_path(picture))
        x, y = _whole(event, "x"), _whole(event, "y")
        taught = self._taught(memory)
        ranking = self._service.ranking(found, labels, other, x, y, taught)
        return {**pixel_message(ranking), "message": _gone(memory, taught)}

    def teach(
        self,
        picture: Upload,
        labels: str,
        other: bool,
        memory: str,
        event: gr.EventData,
        request: gr.Request,
    ) -> tuple[Message, str, str]:
        """One more example: the answer with it, the memory's key, and the labels with its own."""
        service, limits = self._service, self._service.limits
        try:
            path = uploaded_path(picture)
            found = service.picture(path)
            size = found.shown.image.size
            marks = read_marks(getattr(event, "marks", None), size, size, limits)
            label = read_label(getattr(event, "label", None), limits)
            asked = with_label(labels, label)
            memory, taught = service.visitors.find_or_begin(memory, request.session_hash)
            service.teach(found, marks, label, taught, Path(str(path)).name)
        except LSegError as error:
            return error_message(_sentence(error)), gr.skip(), gr.skip()
        answer = self._answered(found, str(path), asked, other, memory)
        return {**answer, "learnt": label}, memory, gr.skip() if asked == labels else asked

    def load(
        self,
        picture: Upload,
        labels: str,
        other: bool,
        memory: str,
        file: Upload,
        request: gr.Request,
    ) -> tuple[Message, str, str]:
        """A memory from elsewhere: as `teach`, with the labels of all its examples."""
        try:
            memory, taught = self._service.load(uploaded_path(file), memory, request.session_hash)
            asked = labels
            for label in taught.counts:
                asked = with_label(asked, label)
        except LSegError as error:
            return error_message(_sentence(error)), gr.skip(), gr.skip()
        if picture is None:
            answer = error_message("The memory is loaded: give a picture.", True, taught.counts)
        else:
            answer = self.answer(picture, asked, other, memory)
        return answer, memory, gr.skip() if asked == labels else asked

    @_said
    def forget(
        self, picture: Upload, labels: str, other: bool, memory: str, event: gr.EventData
    ) -> Message:
        """A label's examples are forgotten."""
        taught = self._taught(memory)
        if taught is not None:
            taught.remove(read_label(getattr(event, "label", None), self._service.limits))
        return self.answer(picture, labels, other, memory)

    def leave(self, request: gr.Request) -> None:
        """The page is closed, or out of reach."""
        if request.session_hash:
            self._service.visitors.leave(request.session_hash)

    def save_memory(self, memory: str) -> Download:
        """The examples as a file."""
        taught = self._taught(memory)
        if taught is None or not taught.counts:
            return None, error_message(
                "Nothing has been taught yet: mark something in the picture, and name it."
            )
        return offered_file(taught.file(), "memory.safetensors"), gr.skip()

    def save_map(self, picture: Upload, labels: str, other: bool, memory: str) -> Download:
        """The label map as a file."""
        return self._file("label_map.png", label_map_png, picture, labels, other, memory)

    def save_overlay(
        self, picture: Upload, labels: str, other: bool, memory: str, opacity: float
    ) -> Download:
        """The overlay as a file."""
        write = partial(overlay_png, opacity=float(opacity))
        return self._file("overlay.png", write, picture, labels, other, memory)

    def save_masks(self, picture: Upload, labels: str, other: bool, memory: str) -> Download:
        """Labels, shares and COCO masks as a file."""
        return self._file("masks.json", summary_json, picture, labels, other, memory)

    def _file(
        self,
        name: str,
        write: Callable[[Segmentation], bytes],
        picture: Upload,
        labels: str,
        other: bool,
        memory: str,
    ) -> Download:
        """A path of a new file, at the picture's own size, or a message why there is none."""
        try:
            found = self._service.picture(uploaded_path(picture))
            taught = self._taught(memory)
            data = write(self._service.segment(found.full, labels, other, taught))
        except LSegError as error:
            return None, error_message(_sentence(error))
        return offered_file(data, name), gr.skip()

    def _taught(self, memory: str) -> Taught | None:
        return self._service.visitors.find(memory) if isinstance(memory, str) else None

    def _answered(
        self, picture: Picture, key: str, labels: str, other: bool, memory: str
    ) -> Message:
        taught = self._taught(memory)
        counts = {} if taught is None else taught.counts
        try:
            found = self._service.segment(picture.shown, labels, other, taught)
        except LabelError as error:
            return error_message(_sentence(error), taught=counts)
        return answer_message(found, key, counts, _gone(memory, taught))


def _gone(memory: str, taught: Taught | None) -> str | None:
    return FORGOTTEN if memory and taught is None else None


def _whole(event: gr.EventData, name: str) -> int:
    """A number that the page's script sent."""
    value: Any = getattr(event, name, None)
    if isinstance(value, int):
        return value
    raise LabelError(f"the page sent no {name}: load it again")


def _sentence(error: LSegError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
