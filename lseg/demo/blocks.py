"""Gradio's page, but for questions that it cannot read."""

from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.state_holder import SessionState

UNREADABLE = (
    "the question cannot be read: give as many values as the endpoint has, files as they came from "
    "/upload"
)


class Page(gr.Blocks):
    """A page that answers malformed questions with a line; Gradio would log what was sent."""

    async def preprocess_data(
        self,
        block_fn: BlockFunction,
        inputs: list[Any],
        state: SessionState | None,
        explicit_call: bool = False,
    ) -> list[Any]:
        """What the handler gets.

        Raises:
            Error: If there are too few values, or a file among them is none that was uploaded.
        """
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except Exception:  # of many kinds, for the many ways in which a client may be wrong
            raise gr.Error(UNREADABLE, print_exception=False) from None
