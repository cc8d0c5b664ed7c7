"""Runs the page: one process, one folder for all files, nothing asked of the network."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import anyio
import gradio as gr
from starlette.middleware import Middleware

from lseg.demo.examples import write_examples
from lseg.demo.gate import Gate
from lseg.demo.login import Login
from lseg.demo.names import Names
from lseg.demo.page import build_page, css, theme
from lseg.demo.room import Room
from lseg.demo.service import Service
from lseg.demo.sweeper import regularly
from lseg.errors import ConfigError
from lseg.paths import exists

SLACK = 2**16  # of an upload's headers and boundaries
Check = Callable[[str, str], bool]
AGE = 3600  # seconds that an upload or a result stays
SWEEP = 30  # seconds
SESSIONS = 64  # whose page settings Gradio remembers; nothing here needs them


@contextmanager
def running_server(
    service: Service,
    about: str,
    host: str = "127.0.0.1",
    port: int | None = None,
    allowed_hosts: Sequence[str] = (),
    login: Login | None = None,
) -> Iterator[str]:
    """Serves the demo while the block runs; gives its address.

    Uploads and results lie in a folder of their own, which is removed at the end; no other file can
    be asked for.

    Args:
        service: Answers.
        about: Which model this is, and what it knows.
        host: Address to listen at; 0.0.0.0 for all.
        port: By default the first free one from 7860.
        allowed_hosts: Names that it answers to, besides those of this machine.
        login: Whom it lets in; everybody by default.

    Raises:
        ConfigError: If the port or the address cannot be had.
    """
    limits = service.limits
    names = Names(host, allowed_hosts)
    with (
        tempfile.TemporaryDirectory(prefix="lseg-demo-") as name,
        _gradio_environment(Path(name), host),
    ):
        page = build_page(
            service, about, write_examples(Path(name), service.of_shapes, service.knows)
        )
        page.queue(
            max_size=limits.queue,
            default_concurrency_limit=limits.concurrency,
            api_open=False,  # nothing is answered past the queue
        )
        room = Room(Path(name), limits.disk_bytes, AGE)

        async def make_room() -> None:
            await anyio.to_thread.run_sync(room.make)

        gate = Middleware(
            Gate,
            upload_bytes=limits.upload_bytes + SLACK,
            names=names,
            make_room=make_room,
        )
        try:
            _, url, _ = page.launch(
                server_name=host,
                server_port=port,
                theme=theme(),
                css=css(),
                max_file_size=limits.upload_bytes,
                allowed_paths=[],
                app_kwargs={"middleware": [gate]},
                auth=None if login is None else cast(Check, login.check),  # it may be awaited
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
                _frontend=False,  # or a machine that is busy for three seconds ends the demo
            )
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"cannot listen at {host}, port {port or '7860 to 7959'}: give another --port or "
                f"--host ({' '.join(str(error).split())})"
            ) from error
        try:
            with regularly(SWEEP, service.visitors.sweep, room.make, partial(forget_files, page)):
                yield url
        finally:
            page.close(verbose=False)


def forget_files(page: gr.Blocks) -> None:
    """Gradio keeps the names of all files that it was ever given, to delete them itself.

    It would stop to do so at the first that is no file, and anybody may name a folder.
    """
    for held in page.temp_file_sets:
        for path in list(held):
            if not exists(path):
                held.discard(path)


@contextmanager
def _gradio_environment(folder: Path, host: str) -> Iterator[None]:
    """Gradio serves the files of folders that the environment names: there are none but ours.

    It also asks its own server whether it is there, which is not for a proxy to answer.
    """
    direct = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "localhost", host]
    names = {
        "GRADIO_TEMP_DIR": str(folder),
        "GRADIO_EXAMPLES_CACHE": str(folder / "examples"),
        "GRADIO_ALLOWED_PATHS": "",
        "no_proxy": ",".join(filter(None, direct)),
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
