"""What goes back to a visitor: answers of the gate's own, and headers on everything else."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

EVERYWHERE: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""No type is guessed, and no other site shows this one within its own."""

FILES: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Of what visitors have sent, besides: whatever it is, it runs nothing and loads nothing."""


def guarded(send: Send, file: bool) -> Send:
    """Sends answers with these headers; a `file` is to be saved, never to be shown as a page."""

    async def guarded_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = FILES if file else EVERYWHERE
            names = {name for name, _ in ours}
            headers = [
                (name, _saved(value) if file and name.lower() == b"content-disposition" else value)
                for name, value in message.get("headers", [])
                if name.lower() not in names
            ]
            message["headers"] = [*headers, *ours]
        await send(message)

    return guarded_send


async def refuse(send: Send, status: int, reason: str) -> None:
    """Answers with a line of JSON."""
    body = json.dumps({"detail": reason, "error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _saved(disposition: bytes) -> bytes:
    _, separator, rest = disposition.partition(b";")
    return b"attachment" + separator + rest
