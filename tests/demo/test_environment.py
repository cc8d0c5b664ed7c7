"""What the environment says to Gradio, and what the page fetches."""

import re
from pathlib import Path

import gradio as gr
from plain_http import request

from lseg.demo.server import running_server


def test_the_environment_opens_nothing_and_no_proxy_is_in_the_way(service, tmp_path, monkeypatch):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for name, value in {
        "GRADIO_SHARE": "True",
        "GRADIO_ALLOWED_PATHS": str(tmp_path),
        "GRADIO_MCP_SERVER": "True",
        "GRADIO_ENABLE_MONITORING": "True",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "intranet.example",
    }.items():
        monkeypatch.setenv(name, value)
    with running_server(service, "about") as url:
        assert request(url)[0] == 200
        assert request(f"{url}gradio_api/file={secret}")[0] == 403
        assert request(f"{url}gradio_api/mcp/")[0] == 404
        running = [page for page in gr.Blocks.instances if page.is_running]
        assert running
        assert not any(page.share for page in running)


def test_the_page_loads_no_script_and_no_style_from_elsewhere(url):
    text = request(url)[1].decode()
    loaded = re.findall(r"<(?:script|link)[^>]*(?:src|href)=\"([^\"]+)\"", text)
    assert any("assets" in each for each in loaded)
    assert [each for each in loaded if re.match(r"(https?:)?//", each)] == []


def test_gradio_is_pinned():
    """The one library with a page of its own, that strangers talk to."""
    lines = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
    assert len([line for line in lines if line.startswith("gradio==")]) == 1
