"""What never reaches Gradio: strangers' pages, large bodies, URLs in place of files, other routes.

Gradio fetches a URL that stands where a file's path is expected, and `/gradio_api/file=<url>` makes
the server download for whoever asks; both look for private addresses, but a demo needs neither.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers

from lseg.demo.bodies import Body, Upload, declared_length, drain
from lseg.demo.names import Names
from lseg.demo.replies import App, Message, Receive, Scope, Send, guarded, refuse

PAGE = frozenset(
    ["", "assets", "config", "favicon.ico", "login", "logout", "manifest.json", "robots.txt",
     "static", "svelte", "theme.css"]
)  # fmt: skip
API = frozenset(
    ["app_id", "call", "cancel", "file", "heartbeat", "info", "login_check", "queue", "reset",
     "startup-events", "theme.css", "upload", "upload_progress", "user"]
)  # fmt: skip
"""Routes that the page and gradio_client use; Gradio has more, and each release adds some."""

ROUTE = re.compile(r"/*(?P<api>gradio_api/+)?(?P<name>[^/=]*)")
LOG = logging.getLogger(__name__)
QUESTION_BYTES = 2**20
DRAINED = 4  # times what is accepted
URL = "a URL is not fetched here: download the picture, and upload the file"
UNREADABLE = "the question cannot be read: /?view=api shows what can be asked for"
ECHOED = b"range"
"""Gradio answers a request for parts of a file with all headers of the request."""


class Gate:
    """ASGI middleware in front of Gradio's application."""

    def __init__(
        self,
        app: App,
        upload_bytes: int,
        names: Names,
        make_room: Callable[[], Awaitable[None]],
    ) -> None:
        """A gate.

        Args:
            app: Gradio's.
            upload_bytes: Bounds an upload, all of its files and its headers together.
            names: Those that it answers to.
            make_room: Called before each upload.
        """
        self._app = app
        self._upload_bytes = upload_bytes
        self._names = names
        self._make_room = make_room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # no page of this demo opens a socket
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        name = route(path)
        send = guarded(send, name == "file")
        strange = self._stranger(scope, path)
        if strange:
            await refuse(send, 403, strange)
        elif name is None:
            await refuse(send, 404, "there is nothing here")
        elif name == "file" and is_url(path.partition("file")[2][1:]):
            await refuse(send, 403, URL)
        elif name == "upload":
            await self._upload(scope, receive, send)
        else:
            await self._question(scope, receive, send)

    def _stranger(self, scope: Scope, path: str) -> str | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        document = headers.get("sec-fetch-dest") == "document"
        return self._names.refusal(
            hosts[0] if len(hosts) == 1 else None,
            headers.get("origin"),
            headers.get("sec-fetch-site"),
            linked=scope["method"] == "GET" and path == "/" and document,
        )

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        if await self._too_long(scope, receive, send, self._upload_bytes):
            return
        await self._make_room()
        await self._pass_on(scope, Upload(receive, self._upload_bytes).receive, send)

    async def _question(self, scope: Scope, receive: Receive, send: Send) -> None:
        if await self._too_long(scope, receive, send, QUESTION_BYTES):
            return
        body = Body(receive, QUESTION_BYTES)
        if scope["method"] == "POST":
            data = await body.read()
            if data is None:
                await refuse(send, 413, f"the request is larger than {QUESTION_BYTES} bytes")
                return
            if names_url(data):
                await refuse(send, 400, URL)
                return
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != ECHOED]
        await self._pass_on({**scope, "headers": headers}, body.receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Gradio's answer, also where it has none: no such endpoint, event or value."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # of many kinds; those of an endpoint do not come so far
            LOG.warning("%s %r: %s", scope["method"], scope["path"], type(error).__name__)
            if started:
                await send({"type": "http.response.body", "body": b""})
            else:
                await refuse(send, 400, UNREADABLE)

    async def _too_long(self, scope: Scope, receive: Receive, send: Send, most: int) -> bool:
        if declared_length(scope) <= most:
            return False
        await drain(receive, DRAINED * most)
        await refuse(send, 413, f"the request is larger than {most} bytes")
        return True


def route(path: str) -> str | None:
    """The name of a route that the demo has, such as call for /gradio_api/call/segment."""
    found = ROUTE.match(path)
    assert found  # it matches anything
    name = found["name"]
    return name if name in (API if found["api"] else PAGE) else None


def is_url(text: str) -> bool:
    """Whether a path is a URL."""
    return "://" in text or text.strip().lower().startswith(("http:", "https:", "//"))


def names_url(body: bytes) -> bool:
    """Whether a JSON body has a file whose path is a URL."""
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):
        return False  # Gradio will say what it thinks of it
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and is_url(path):
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False
