"""Bodies of requests, bounded."""

from starlette.formparsers import MultiPartException

from lseg.demo.replies import Message, Receive, Scope


class Body:
    """A request's body, of bounded size."""

    def __init__(self, receive: Receive, most: int) -> None:
        """`most` is in bytes."""
        self._receive, self._most = receive, most
        self._seen = 0
        self._read: bytes | None = None

    async def receive(self) -> Message:
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


class Upload(Body):
    """A body of files, which is worth nothing if its sender leaves in the middle."""

    async def receive(self) -> Message:
        """The next part.

        Raises:
            MultiPartException: As for every body, and if the sender has gone: Gradio would leave
                the part of a file that it has on the disk.
        """
        message = await super().receive()
        if message["type"] == "http.disconnect":
            raise MultiPartException("the upload has ended early")
        return message


def declared_length(scope: Scope) -> int:
    """The request's Content-Length; 0 where there is none that makes sense."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def drain(receive: Receive, most: int) -> None:
    """Reads up to `most` bytes of a body for nothing: who is still sending hears no answer."""
    while most > 0:
        message = await receive()
        most -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return
