"""The page: a picture and labels on one side, the segmented picture on the other."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from lseg.demo.api import add_api
from lseg.demo.blocks import Page
from lseg.demo.events import PageEvents
from lseg.demo.service import Service
from lseg.demo.viewer import viewer
from lseg.paths import ASSETS

INTRODUCTION = """# LSeg
Type what you look for. Every pixel gets the label that fits it best; the picture is encoded once, \
and new labels are answered at once."""

SHAPES = "A fifth example, coloured shapes, is for the network of its own that knows them: \
`lseg demo --checkpoint tiny`."

DOWNLOADS = {
    "map": "↓ Label map",
    "overlay": "↓ Overlay",
    "masks": "↓ COCO masks",
    "memory": "↓ Memory",
}
DOWNLOAD = """(file) => {
  if (file) {
    const link = document.createElement("a");
    link.href = file.url;
    link.download = file.orig_name ?? file.path.split("/").pop();
    document.body.append(link);
    link.click();
    link.remove();
  }
  return [];
}"""
OPACITY = """(value) => {
  document.querySelectorAll("#viewer .viewer").forEach((view) =>
    view.parentElement.dispatchEvent(new CustomEvent("opacity", { detail: value })));
  return [];
}"""


def theme() -> gr.Theme:
    """Fonts of the visitor's own system: a page that fetches nothing from elsewhere."""
    return gr.themes.Default(
        primary_hue="teal",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def css() -> str:
    """Style sheet of the page."""
    return (ASSETS / "demo" / "page.css").read_text("utf-8")


def build_page(service: Service, about: str, examples: Sequence[tuple[str, str]]) -> gr.Blocks:
    """The page with its events and its API.

    Args:
        service: Answers.
        about: Which model this is, and what it knows.
        examples: Paths of pictures, with labels for each; the first is there from the beginning.
    """
    events = PageEvents(service)
    first = examples[0] if examples else (None, "")
    with Page(title="LSeg", analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION)
        gr.HTML(
            about,
            html_template='<p class="about"></p>',
            js_on_load="element.querySelector('.about').textContent = props.value;",
        )
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                picture = gr.Image(
                    first[0],
                    label="Picture",
                    type="filepath",
                    image_mode=None,
                    sources=["upload", "clipboard", "webcam"],
                    buttons=[],
                    height=260,
                    elem_id="picture",
                    alt_text="The picture as it was given",
                )
                shelf = gr.Column(visible=bool(examples))
                labels = gr.Textbox(
                    first[1],
                    label="Labels",
                    info="Between commas or one a line; a|b for synonyms.",
                    placeholder="sky, road|street, tree",
                    lines=3,
                    max_lines=8,
                    elem_id="labels",
                )
                other = gr.Checkbox(True, label='"other" for what fits no label', elem_id="other")
                with shelf:
                    given = [list(example) for example in examples]
                    gr.Examples(given, [picture, labels], visible_columns=[0])
                    if not service.of_shapes:
                        gr.Markdown(SHAPES)
                opacity = gr.Slider(0, 1, 0.55, step=0.05, label="Opacity", elem_id="opacity")
            with gr.Column(scale=3, min_width=300):
                view = viewer()
                with gr.Row():
                    buttons = [
                        gr.Button(text, size="sm", min_width=80, elem_id=f"save-{name}")
                        for name, text in DOWNLOADS.items()
                    ]
                    brought = gr.UploadButton(
                        "↑ Memory",
                        file_types=[".safetensors"],
                        size="sm",
                        min_width=80,
                        elem_id="load-memory",
                    )
        file = gr.File(visible=False)
        memory = gr.Textbox("", visible=False, label="memory")  # the key, known to this page alone
        add_api(service)

        question = [picture, labels, other, memory]
        gr.on(
            [page.load, picture.change, labels.change, other.change],
            events.answer,
            question,
            view,
            preprocess=False,
            trigger_mode="always_last",
            show_progress="minimal",
            concurrency_id="page",
            api_visibility="private",
        )
        asked = (
            (view.heat, events.heat, view),
            (view.pixel, events.pixel, view),
            (view.teach, events.teach, [view, memory, labels]),
            (view.forget, events.forget, view),
        )
        for listen, handler, outputs in asked:
            listen(
                handler,
                question,
                outputs,
                preprocess=False,
                trigger_mode="always_last",
                show_progress="hidden",
                concurrency_id="page",
                api_visibility="private",
            )
        brought.upload(
            events.load,
            [*question, brought],
            [view, memory, labels],
            preprocess=False,
            show_progress="hidden",
            concurrency_id="page",
            api_visibility="private",
        )
        page.unload(events.leave)
        opacity.change(None, opacity, None, js=OPACITY)
        save: tuple[tuple[Callable[..., Any], list[Component]], ...] = (
            (events.save_map, question),
            (events.save_overlay, [*question, opacity]),
            (events.save_masks, question),
            (events.save_memory, [memory]),
        )
        for button, (write, inputs) in zip(buttons, save, strict=True):
            button.click(
                write,
                inputs,
                [file, view],
                preprocess=False,
                show_progress="hidden",
                concurrency_id="page",
                api_visibility="private",
            ).then(None, file, None, js=DOWNLOAD)
    return page
