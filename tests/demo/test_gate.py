"""What a stranger may not do, tried over HTTP on the running demo."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lseg.demo.gate import Gate, names_url

META = {"_type": "gradio.FileData"}


def request(url, data=None, **headers):
    asked = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def ask(url, endpoint, *values):
    body = json.dumps({"data": values}).encode()
    kind = {"Content-Type": "application/json"}
    status, answer = request(f"{url}gradio_api/call/{endpoint}", body, **kind)
    if status != 200:
        return answer.decode()
    event = json.loads(answer)["event_id"]
    return request(f"{url}gradio_api/call/{endpoint}/{event}")[1].decode()


def form(data, name="a.png"):
    head = f'--X\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n--X--\r\n"


FORM = {"Content-Type": "multipart/form-data; boundary=X"}


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
        "monitoring",
        "gradio_api/runs",
    ],
)
def test_no_file_and_no_url_is_given_out(url, path):
    status, body = request(url + path)
    assert status in (403, 404)
    assert b"root:" not in body
    assert b"import" not in body


@pytest.mark.parametrize("endpoint", ["segment", "embed"])
def test_no_file_and_no_url_is_read(url, endpoint):
    rest = ["red circle", True, 0.5] if endpoint == "segment" else [0, 0, "float16", True]
    secret = str(Path(__file__).resolve())
    for picture in (
        {"path": "http://127.0.0.1:9/a.png", "meta": META},
        {"path": " HTTPS://example.com/a.png", "url": "x", "meta": META},
    ):
        assert "a URL is not fetched here" in ask(url, endpoint, picture, *rest)
    for picture in (
        {"path": secret, "meta": META},
        {"path": secret},
        {"path": "/etc/passwd", "url": "http://127.0.0.1:9/a.png", "meta": META},
        {"path": None, "url": "data:image/png;base64,AAAA", "meta": META},
    ):
        answer = ask(url, endpoint, picture, *rest)
        assert "event: error" in answer
        assert "Traceback" not in answer


def test_an_upload_that_is_too_large_is_refused(url, service):
    most = service.limits.upload_bytes
    assert request(f"{url}gradio_api/upload", form(bytes(most)), **FORM)[0] == 200
    assert request(f"{url}gradio_api/upload", form(bytes(most + 1)), **FORM)[0] == 413
    status, body = request(f"{url}gradio_api/upload", form(bytes(2 * most)), **FORM)
    assert status == 413
    assert b"larger than" in body


def test_a_long_question_is_refused(url):
    assert "the request is larger than" in ask(url, "segment", None, "a" * 2**21, True, 0.5)


def test_an_html_file_is_not_shown_as_a_page(url):
    page = form(b"<script>alert(1)</script>", "a.html")
    _, body = request(f"{url}gradio_api/upload", page, **FORM)
    with urllib.request.urlopen(f"{url}gradio_api/file={json.loads(body)[0]}", timeout=30) as found:
        assert found.headers["Content-Disposition"].startswith("attachment")
        assert found.headers["Content-Type"] == "application/octet-stream"


def test_only_these_endpoints_are_open(url):
    named = json.loads(request(f"{url}gradio_api/info")[1])["named_endpoints"]
    assert set(named) == {"/segment", "/embed", "/teach", "/forget", "/memory"}
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


def test_a_body_without_a_length_is_counted(service):
    """Chunked requests: the application sees no more than it may."""
    seen, sent = [], []

    async def app(scope, receive, send):
        while (message := await receive()).get("more_body"):
            seen.append(len(message["body"]))

    async def receive():
        return {"type": "http.request", "body": bytes(400), "more_body": True}

    async def send(message):
        sent.append(message)

    async def post(path):
        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        await Gate(app, 1000)(scope, receive, send)

    asyncio.run(post("/gradio_api/queue/join"))
    assert sent[0]["status"] == 413
    assert seen == []
    with pytest.raises(Exception, match="exceeds the maximum allowed size"):
        asyncio.run(post("/gradio_api/upload"))
    assert sum(seen) <= 1000
