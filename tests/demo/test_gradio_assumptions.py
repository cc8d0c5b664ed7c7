"""What the demo takes for granted of Gradio; a release that changes it fails here first."""

import inspect
from pathlib import Path

import gradio as gr
import pytest
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from lseg.demo.uploads import offered_file


def test_uploads_and_results_lie_in_the_folder_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert Path(get_upload_folder()) == tmp_path


def test_a_file_that_is_offered_lies_where_gradio_would_copy_it_to(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    for data in (b"a", b"b"):
        path = offered_file(data, "map.png")
        assert save_file_to_cache(path, str(tmp_path)) == path


@pytest.mark.parametrize(
    "name",
    ["allowed_paths", "app_kwargs", "enable_monitoring", "footer_links", "max_file_size",
     "mcp_server", "pwa", "run_history", "share", "show_error", "ssr_mode",
     "state_session_capacity"],
)  # fmt: skip
def test_launch_has_the_switches_that_the_demo_turns(name):
    assert name in inspect.signature(gr.Blocks.launch).parameters
