"""What never reaches Gradio: large bodies, URLs in place of files, routes that the demo lacks.

Gradio fetches a URL that stands where a file's path is expected, and `/gradio_api/file=<url>` makes
the server download for whoever asks; both look for private addresses, but a demo needs neither.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.formparsers import MultiPartException

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSED = (
    "/proxy=",
    "/deep_link",
    "/process_recording",
    "/component_server",
    "/vibe-",
    "/run-history",
    "/stream/",
    "/monitoring",
    "/dev/reload",
)
QUESTION_BYTES = 2**20
DRAINED = 4  # times what is accepted
URL = "a URL is not fetched here: download the picture, and upload the file"


class Gate:
    """ASGI middleware in front of Gradio's application."""

    def __init__(self, app: App, upload_bytes: int) -> None:
        """`upload_bytes` bounds an upload, all of its files and its headers together."""
        self._app = app
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if any(part in path for part in CLOSED):
            await refuse(send, 404, "there is nothing here")
            return
        if "/file=" in path and is_url(path.partition("/file=")[2]):
            await refuse(send, 403, URL)
            return
        upload = path.rstrip("/").endswith("/upload")
        most = self._upload_bytes if upload else QUESTION_BYTES
        if declared_length(scope) > most:
            await drain(receive, DRAINED * most)
            await refuse(send, 413, f"the request is larger than {most} bytes")
            return
        body = Body(receive, most)
        if upload:
            await self._app(scope, body.receive, send)
            return
        if scope["method"] == "POST":
            data = await body.read()
            if data is None:
                await refuse(send, 413, f"the request is larger than {most} bytes")
                return
            if names_url(data):
                await refuse(send, 400, URL)
                return
        await self._app(scope, body.receive, send)


class Body:
    """A request's body, of bounded size."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most = receive, most
        self._seen = 0
        self._read: bytes | None = None

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part.

        Raises:
            MultiPartException: If the body grows too large; the reader of an upload deletes what
                it has, and answers with status 413.
        """
        if self._read is not None:
            data, self._read = self._read, None
            return {"type": "http.request", "body": data, "more_body": False}
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._most:
            raise MultiPartException("the upload exceeds the maximum allowed size")
        return message

    async def read(self) -> bytes | None:
        """The whole body, which `receive` then gives again; None if it is too large."""
        parts = []
        while True:
            try:
                message = await self.receive()
            except MultiPartException:
                return None
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._read = b"".join(parts)
                return self._read


def declared_length(scope: Scope) -> int:
    """The request's Content-Length; 0 where there is none that makes sense."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


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


async def drain(receive: Receive, most: int) -> None:
    """Reads up to `most` bytes of a body for nothing: who is still sending hears no answer."""
    while most > 0:
        message = await receive()
        most -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return


async def refuse(send: Send, status: int, reason: str) -> None:
    """Answers with a line of JSON."""
    body = json.dumps({"detail": reason, "error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
