"""`lseg demo`: labels on a picture in a browser."""

import signal
import threading
import warnings
from pathlib import Path

from lseg.commands.model import asking_from, model_from
from lseg.commands.options.demo import DemoOptions
from lseg.demo.limits import Limits
from lseg.demo.login import Login
from lseg.demo.names import is_loopback
from lseg.errors import ConfigError, LSegWarning
from lseg.models.lseg import LSeg
from lseg.text.encoder import LabelTable

OPEN = (
    "whoever reaches this machine at {host} can use the demo: --auth USER:FILE asks for a password"
)


def demo(options: DemoOptions) -> None:
    """Serves the page until it is interrupted or terminated.

    Raises:
        ConfigError: If Gradio is missing, no password can be read, or the port cannot be had.
    """
    limits = Limits(
        upload_bytes=options.max_upload * 2**20,
        pixels=options.max_megapixels * 10**6,
        cache_bytes=options.cache * 2**20,
        queue=options.max_queue,
    )
    try:
        from lseg.demo.server import running_server
        from lseg.demo.service import Service
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise ConfigError('the demo needs Gradio: pip install "lseg[demo]"') from error
    login = None if options.auth is None else Login.read(options.auth)
    if login is None and not is_loopback(options.host):
        warnings.warn(OPEN.format(host=options.host), LSegWarning, stacklevel=2)
    asking = asking_from(options)
    model = model_from(options, LSeg)
    service = Service(model, limits, options.size, asking)
    ended = threading.Event()
    # As Ctrl+C: uploads must not outlive the server.
    before = signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        with running_server(
            service,
            about(options.checkpoint, model),
            options.host,
            options.port,
            options.allowed_hosts or (),
            login,
        ) as url:
            print(f"serving {options.checkpoint} at {url} (Ctrl+C ends it)", flush=True)
            ended.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


def about(checkpoint: str, model: LSeg) -> str:
    """A line on what the model is and knows, for the page; no path of the server is in it."""
    if model.config.description:
        return model.config.description
    known = (
        f"It knows the {len(model.text.source.names)} names of a table, in any spelling."
        if isinstance(model.text.source, LabelTable)
        else "Labels are free text."
    )
    return f"Model: {'/'.join(Path(checkpoint).parts[-2:])}. {known}"
