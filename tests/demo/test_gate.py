"""What a stranger may not do, tried over HTTP on the running demo."""

import asyncio
import json
import threading
import urllib.request
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from plain_http import FORM, JSON, META, ask, form, png, request, upload

from lseg.demo.gate import Gate, names_url
from lseg.demo.names import Names
from lseg.demo.server import running_server


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=%2Fetc%2Fpasswd",
        "gradio_api/file=../../../../etc/passwd",
        "gradio_api/file/etc/passwd",
        f"gradio_api/file={Path(__file__).resolve()}",
        "gradio_api/file=http://127.0.0.1:9/a.png",
        "gradio_api/file=https://example.com/a.png",
        "gradio_api/file=file:///etc/passwd",
        "gradio_api/proxy=http://127.0.0.1:9/",
        "static/..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "gradio_api/file=%252Fetc%252Fpasswd",
        "gradio_api/file=/proc/self/environ",
        "gradio_api/file=http%3A%2F%2F127.0.0.1:9/a.png",
        "gradio_api/file=%2F%2Fexample.com/a.png",
        "static/../../../../../../etc/passwd",
        "assets/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "svelte/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "gradio_api/custom_component/a/client/component/..%2f..%2fetc%2fpasswd",
        "monitoring",
        "gradio_api/runs",
        "gradio_api/token",
        "gradio_api/run/segment",
        "docs",
        "openapi.json",
    ],
)
def test_no_file_and_no_url_is_given_out(url, path):
    status, body = request(url + path)
    assert status in (403, 404)
    assert b"root:" not in body
    assert b"import" not in body


@pytest.fixture
def canary():
    """A server that remembers what it was asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}/"
        server.asked = []
        server.verify_request = lambda request, address: server.asked.append(address)
        worker = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        worker.start()
        yield server
        server.shutdown()
        worker.join()


@pytest.mark.parametrize("endpoint", ["segment", "embed"])
def test_no_file_and_no_url_is_read(url, endpoint, canary):
    rest = ["red circle", True, 0.5, ""] if endpoint == "segment" else [0, 0, "float16", True]
    secret = str(Path(__file__).resolve())
    own = {"path": upload(url, png()), "meta": META}
    for picture in (
        {"path": f"{canary.url}a.png", "meta": META},
        {**own, "path": f"{canary.url}a.png"},
        {"path": " HTTPS://example.com/a.png", "url": "x", "meta": META},
    ):
        assert "a URL is not fetched here" in ask(url, endpoint, picture, *rest)
    for picture in (
        {"path": secret, "meta": META},
        {"path": secret},
        {"path": "/etc/passwd", "url": f"{canary.url}a.png", "meta": META},
        {"url": f"{canary.url}a.png", "meta": META},
        {"path": f"{own['path']}/../../../../../../etc/passwd", "meta": META},
        {"path": "/proc/self/environ", "meta": META},
        {"path": None, "url": "data:image/png;base64,AAAA", "meta": META},
    ):
        answer = ask(url, endpoint, picture, *rest)
        assert "event: error" in answer
        assert "upload" in answer
    answer = ask(url, endpoint, {**own, "url": f"{canary.url}a.png"}, *rest)
    assert "event: complete" in answer  # the file counts, and not where it is said to be
    assert canary.asked == []


def test_an_upload_that_is_too_large_is_refused(url, service):
    most = service.limits.upload_bytes
    assert request(f"{url}gradio_api/upload", form(bytes(most)), **FORM)[0] == 200
    assert request(f"{url}gradio_api/upload", form(bytes(most + 1)), **FORM)[0] == 413
    status, body = request(f"{url}gradio_api/upload", form(bytes(2 * most)), **FORM)
    assert status == 413
    assert b"larger than" in body


def test_a_long_question_is_refused(url):
    assert "the request is larger than" in ask(url, "segment", None, "a" * 2**21, True, 0.5)


SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("a.svg.png", "image/png"),
        ("a", "application/octet-stream"),
    ],
)
@pytest.mark.parametrize("part", [{}, {"Range": "bytes=0-9", "X-Sent": "x"}])
def test_an_upload_is_never_shown_as_a_page(url, name, kind, part):
    address = f"{url}gradio_api/file={upload(url, SCRIPT, name)}"
    asked = urllib.request.Request(address, headers=part)
    with urllib.request.urlopen(asked, timeout=90) as found:
        assert found.headers["Content-Disposition"].startswith("attachment")
        assert found.headers["Content-Type"] == kind
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in found.headers["Content-Security-Policy"]
        assert found.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "X-Sent" not in found.headers


def test_no_other_site_shows_this_one_within_its_own(url):
    with urllib.request.urlopen(url, timeout=90) as page:
        assert page.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_garbage_is_answered_with_words_and_leaves_no_traceback(service, capfd, caplog):
    with running_server(service, "about") as url:
        path = upload(url, png())
        own = {"path": path, "meta": META}
        for picture in (
            "x", 3, ["a"], {"path": f"{path}\0"}, {"path": f"{path}\0", "meta": META},
            {"path": ["a"], "meta": META}, {**own, "orig_name": 3},
            {"path": str(Path(path).parents[1])},
        ):  # fmt: skip
            assert "upload" in ask(url, "segment", picture, "red circle", True, 0.5, "")
        assert "give as many values" in ask(url, "segment", own)
        assert "opacity" in ask(url, "segment", own, "red circle", True, 10**400, "")
        assert "in marks" in ask(url, "teach", own, "x", {"box": [10**400, 1, 2, 3]}, "")
        for place, body in (
            ("call/nothing", b'{"data": []}'),
            ("call/v2/nothing", b"{}"),
            ("queue/join", b'{"data": [], "fn_index": 9999, "session_hash": "a"}'),
            ("queue/join", b'{"data": [NaN], "fn_index": -1, "session_hash": "a"}'),
            ("queue/join", b"[" * 100_000),
            ("queue/join", b"\xff"),
        ):
            assert request(f"{url}gradio_api/{place}", body, **JSON)[0] in (400, 422)
        assert b"404" in request(f"{url}gradio_api/call/segment/none")[1]
        nameless = form(b"x").replace(b'; filename="a.png"', b"")
        assert request(f"{url}gradio_api/upload", nameless, **FORM)[0] == 400
        assert "event: complete" in ask(url, "segment", own, "red circle", True, 0.5, "")
    assert "call/nothing" in caplog.text  # a line for each
    assert "Traceback" not in capfd.readouterr().err


def test_only_these_endpoints_are_open(url):
    named = json.loads(request(f"{url}gradio_api/info")[1])["named_endpoints"]
    assert set(named) == {"/segment", "/embed", "/teach", "/forget", "/memory", "/load"}
    parameters = [entry["parameter_name"] for entry in named["/segment"]["parameters"]]
    assert parameters == ["picture", "labels", "other", "opacity", "memory"]
    kinds = [entry["python_type"]["type"] for entry in named["/embed"]["parameters"]]
    assert kinds[1:] == ["int", "int", "Literal['float16', 'float32']", "bool"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"data": [{"path": "http://a/b"}]}', True),
        (b'{"data": [[{"a": {"path": "//a/b"}}]]}', True),
        (b'{"data": [{"path": "ftp://a/b"}]}', True),
        (b'{"data": [{"path": "/tmp/a", "url": "http://a/b"}]}', False),
        (b'{"data": ["http://a/b", {"path": 3}]}', False),
        (b"[" * 100_000, False),
        (b"\xff", False),
    ],
)
def test_urls_are_found_wherever_a_file_is_named(body, expected):
    assert names_url(body) is expected


class Behind:
    """A gate, and what the application behind it is given."""

    def __init__(self, receive):
        self.seen, self.sent = [], []
        self._receive = receive

    async def app(self, scope, receive, send):
        while (message := await receive()).get("more_body"):
            self.seen.append(len(message["body"]))

    async def send(self, message):
        self.sent.append(message)

    def post(self, path, kind="http"):
        async def make_room():
            pass

        gate = Gate(self.app, 1000, Names("127.0.0.1"), make_room)
        scope = {"type": kind, "method": "POST", "path": path, "headers": [(b"host", b"localhost")]}
        asyncio.run(gate(scope, self._receive, self.send))


def test_a_body_without_a_length_is_counted():
    """Chunked requests: the application sees no more than it may."""

    async def receive():
        return {"type": "http.request", "body": bytes(400), "more_body": True}

    behind = Behind(receive)
    behind.post("/gradio_api/queue/join")
    assert behind.sent[0]["status"] == 413
    assert behind.seen == []
    behind.post("/gradio_api/upload")
    assert behind.sent[-2]["status"] == 400  # 413, if it is Gradio's reader
    assert 0 < sum(behind.seen) <= 1000


def test_a_socket_is_closed_at_once():
    behind = Behind(None)
    behind.post("/gradio_api/queue/join", "websocket")
    assert behind.sent == [{"type": "websocket.close", "code": 1008}]
