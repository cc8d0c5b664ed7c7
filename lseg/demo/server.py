"""Runs the page: one process, one folder for all files, nothing asked of the network."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.middleware import Middleware

from lseg.demo.examples import write_examples
from lseg.demo.gate import Gate
from lseg.demo.page import build_page, css, theme
from lseg.demo.service import Service
from lseg.errors import ConfigError

SLACK = 2**16  # of an upload's headers and boundaries
SESSIONS = 64  # whose page settings Gradio remembers; nothing here needs them


@contextmanager
def running_server(
    service: Service, about: str, host: str = "127.0.0.1", port: int | None = None
) -> Iterator[str]:
    """Serves the demo while the block runs; gives its address.

    Uploads and results lie in a folder of their own, which is removed at the end; no other file can
    be asked for.

    Args:
        service: Answers.
        about: Which model this is, and what it knows.
        host: Address to listen at; 0.0.0.0 for all.
        port: By default the first free one from 7860.

    Raises:
        ConfigError: If the port or the address cannot be had.
    """
    limits = service.limits
    with tempfile.TemporaryDirectory(prefix="lseg-demo-") as name, _gradio_folder(Path(name)):
        page = build_page(service, about, write_examples(Path(name), service.knows))
        page.queue(max_size=limits.queue, default_concurrency_limit=limits.concurrency)
        try:
            _, url, _ = page.launch(
                server_name=host,
                server_port=port,
                theme=theme(),
                css=css(),
                max_file_size=limits.upload_bytes,
                allowed_paths=[],
                app_kwargs={
                    "middleware": [Middleware(Gate, upload_bytes=limits.upload_bytes + SLACK)]
                },
                state_session_capacity=SESSIONS,
                footer_links=["api"],
                prevent_thread_lock=True,
                quiet=True,
                show_error=False,
                share=False,
                ssr_mode=False,
                run_history=False,
                enable_monitoring=False,
                mcp_server=False,
                pwa=False,
            )
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"cannot listen at {host}, port {port or '7860 to 7959'}: give another --port or "
                f"--host ({' '.join(str(error).split())})"
            ) from error
        try:
            with service.visitors.swept():
                yield url
        finally:
            page.close(verbose=False)


@contextmanager
def _gradio_folder(folder: Path) -> Iterator[None]:
    """Gradio serves the files of two folders that the environment names: both are ours."""
    names = {"GRADIO_TEMP_DIR": folder, "GRADIO_EXAMPLES_CACHE": folder / "examples"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(path) for name, path in names.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
