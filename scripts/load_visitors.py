"""Visitors of `load_demo.py`: they ask, teach, leave in the middle, or send garbage."""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from typing import Any

import httpx
import numpy as np
from load_questions import GADGET, Question, read_map

FORM = {"Content-Type": "multipart/form-data; boundary=X"}
GARBAGE = (
    ("call/segment", b'{"data": []}'),
    ("call/segment", b"\xff\x00"),
    ("call/segment", b"[" * 10_000),
    ("call/segment", b'{"data": [{"path": "/etc/passwd"}, "a, b", true, 0.5, ""]}'),
    ("call/segment", b'{"data": [{"path": "http://127.0.0.1:9/a.png"}, "a, b", true, 0.5, ""]}'),
    ("call/teach", b'{"data": [null, "a", {"points": [[1e999, NaN]]}, ""]}'),
    ("call/memory", b'{"data": ["no key"]}'),
    ("call/nothing", b'{"data": []}'),
    ("queue/join", b'{"data": [1, 2], "fn_index": 77, "session_hash": "a"}'),
    ("upload", b"no form"),
    ("file=/etc/passwd", None),
    ("proxy=http://127.0.0.1:9/", None),
)  # fmt: skip


class Wrong(Exception):  # noqa: N818
    """An answer that is not the right one."""


class Record:
    """What the visitors have seen."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []


class Visitor:
    """One of many; does one thing after the other until the time is over."""

    def __init__(self, url: str, questions: list[Question], record: Record, seed: int) -> None:
        self._client = httpx.AsyncClient(base_url=f"{url}gradio_api/", timeout=300, trust_env=False)
        self._questions = questions
        self._record = record
        self._chance = random.Random(seed)

    async def run(self, end: float) -> None:
        """Until `end`, as `time.monotonic`."""
        deeds = (self.ask, self.teach, self.leave, self.send_garbage)
        async with self._client:
            while time.monotonic() < end:
                (deed,) = self._chance.choices(deeds, (6, 2, 1, 1))
                start = time.monotonic()
                try:
                    await deed()
                except Wrong as error:
                    self._record.wrong.append(f"{deed.__name__}: {error}")
                except TurnedAway:
                    self._record.counts["turned away"] += 1
                    await asyncio.sleep(1)
                else:
                    self._record.counts[deed.__name__] += 1
                    self._record.seconds[deed.__name__].append(time.monotonic() - start)

    async def ask(self) -> None:
        """A picture by labels."""
        question = self._chance.choice([each for each in self._questions if each.box is None])
        await self._compare(question, await self._upload(question.picture), "")

    async def teach(self) -> None:
        """An example, the same question by it, and forgotten again."""
        question = self._chance.choice([each for each in self._questions if each.box])
        picture = await self._upload(question.picture)
        key, counts = await self._call("teach", picture, GADGET, {"box": question.box}, "")
        if counts != {GADGET: 1}:
            raise Wrong(f"a new memory holds {counts}")
        await self._compare(question, picture, key)
        if await self._call("forget", key, GADGET) != [{}]:
            raise Wrong("what was forgotten is still there")

    async def leave(self) -> None:
        """Goes away in the middle of an upload, or before the answer, or while it comes."""
        question = self._chance.choice(self._questions)
        how = self._chance.randrange(3)
        if how == 0:
            await self._break_off(form(question.picture))
            return
        picture = await self._upload(question.picture)
        event = await self._begin("segment", picture, question.labels, True, 0.5, "")
        if how == 1:
            address = f"call/segment/{event}"
            async with self._client.stream("GET", address):
                await asyncio.sleep(self._chance.random() / 10)

    async def send_garbage(self) -> None:
        """Something that is no question, and is not to be answered."""
        place, body = self._chance.choice(GARBAGE)
        if body is None:
            answer = await self._client.get(place)
        else:
            kind = FORM if place == "upload" else {"Content-Type": "application/json"}
            answer = await self._client.post(place, content=body, headers=kind)
        if answer.status_code == 200:  # then its event must be an error
            event = answer.json()["event_id"]
            answer = await self._client.get(f"{place}/{event}")
            if "event: error" not in answer.text:
                raise Wrong(f"{body!r} is answered by {answer.text[:80]}")
        elif answer.status_code >= 500 and not full(answer):
            raise Wrong(f"{place} {body!r} is answered by {answer.status_code}")

    async def _compare(self, question: Question, picture: dict[str, Any], key: str) -> None:
        given = await self._call("segment", picture, question.labels, True, 0.5, key)
        answer = await self._client.get(f"file={given[0]['path']}")
        if answer.status_code != 200:
            raise Wrong(f"a label map cannot be fetched: {answer.status_code}")
        if not np.array_equal(read_map(answer.content), question.expected):
            raise Wrong(f"another label map than that of {question.labels!r}, {question.box}")

    async def _upload(self, data: bytes) -> dict[str, Any]:
        answer = await self._client.post("upload", content=form(data), headers=FORM)
        if answer.status_code != 200:
            raise Wrong(f"an upload is answered by {answer.status_code}")
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    async def _begin(self, endpoint: str, *values: object) -> str:
        answer = await self._client.post(f"call/{endpoint}", json={"data": values})
        if full(answer):
            raise TurnedAway
        if answer.status_code != 200:
            raise Wrong(f"{endpoint} is answered by {answer.status_code}: {answer.text[:200]}")
        return str(answer.json()["event_id"])

    async def _call(self, endpoint: str, *values: object) -> list[Any]:
        event = await self._begin(endpoint, *values)
        answer = await self._client.get(f"call/{endpoint}/{event}")
        told = answer.text.rpartition("event: complete\ndata: ")[2]
        if told == answer.text:
            raise Wrong(f"{endpoint}: {answer.text[-200:]}")
        found: list[Any] = json.loads(told)
        return found

    async def _break_off(self, body: bytes) -> None:
        url = self._client.base_url
        _, writer = await asyncio.open_connection(url.host, url.port)
        head = (
            f"POST {url.path}upload HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n"
            f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[: len(body) // 2])
        await writer.drain()
        writer.close()


class TurnedAway(Exception):  # noqa: N818
    """The demo is full."""


def full(answer: httpx.Response) -> bool:
    """Whether the queue has no room."""
    return answer.status_code == 503 and "full" in answer.text


def form(data: bytes) -> bytes:
    """The body of an upload."""
    head = b'--X\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    return head + data + b"\r\n--X--\r\n"
