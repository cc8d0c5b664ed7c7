"""A demo that asks for a password."""

import http.cookiejar
import json
import re
import time
import urllib.parse
import urllib.request

import pytest
from gradio_client import Client, handle_file
from plain_http import FORM, JSON, form, png, request

from lseg.cli import main
from lseg.demo.login import PAUSE, SHORTEST, Login
from lseg.demo.server import running_server
from lseg.errors import ConfigError

PASSWORD = "three blind mice"


@pytest.fixture(scope="module")
def locked(service):
    with running_server(service, "Only for friends.", login=Login("me", PASSWORD)) as url:
        yield url


def told(user, password):
    return urllib.parse.urlencode({"username": user, "password": password}).encode()


def test_strangers_get_nothing(locked):
    body = json.dumps({"data": [None, "a, b", True, 0.5, ""]}).encode()
    join = json.dumps({"data": [], "fn_index": 1, "session_hash": "a"}).encode()
    for route, data, headers in (
        ("config", None, {}),
        ("gradio_api/info", None, {}),
        ("gradio_api/upload", form(png()), FORM),
        ("gradio_api/call/segment", body, JSON),
        ("gradio_api/call/v2/segment", b"{}", JSON),
        ("gradio_api/queue/join", join, JSON),
        ("gradio_api/queue/data?session_hash=a", None, {}),
        ("gradio_api/queue/status", None, {}),
        ("gradio_api/upload_progress?upload_id=a", None, {}),
        ("gradio_api/file=/etc/passwd", None, {}),
        ("gradio_api/run/segment", body, JSON),
    ):
        assert request(locked + route, data, **headers)[0] in (401, 404), route
    status, page = request(locked)
    assert status == 200
    assert b"Only for friends" not in page  # it asks for the name and the password
    assert re.search(rb'"auth_required": ?true', page)


def test_who_knows_the_password_comes_in(locked, shapes):
    path, labels = shapes(1)
    client = Client(locked, auth=("me", PASSWORD), verbose=False, httpx_kwargs={"timeout": 120})
    answer = client.predict(handle_file(path), labels[0], True, 0.5, "", api_name="/segment")[2]
    assert [entry["label"] for entry in answer["labels"]] == [labels[0], "other"]
    client.close()


def test_the_page_of_another_site_may_not_use_a_login(locked):
    """The browser would send the visitor's cookie with it."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(jar)
    assert browser.open(f"{locked}login", told("me", PASSWORD), timeout=90).status == 200
    assert b"named_endpoints" in browser.open(f"{locked}gradio_api/info", timeout=90).read()
    evil = urllib.request.Request(f"{locked}gradio_api/info", headers={"Origin": "http://evil"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        browser.open(evil, timeout=90)


@pytest.mark.parametrize("pair", [("me", PASSWORD[:-1]), ("you", PASSWORD), ("mé\0", PASSWORD)])
def test_guessing_takes_its_time(locked, pair):
    start = time.monotonic()
    assert request(f"{locked}login", told(*pair))[0] == 400
    assert time.monotonic() - start >= PAUSE


def test_a_password_is_read_from_a_file(tmp_path):
    file = tmp_path / "pass:word"
    file.write_text(f"{PASSWORD}\nand a note\n")
    login = Login.read(f"me:{file}")
    assert login == Login("me", PASSWORD)
    assert PASSWORD not in repr(login)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("me", "give USER:FILE"),
        (":{file}", "give USER:FILE"),
        ("me:", "give USER:FILE"),
        ("me:{file}x", "no password can be read from"),
        ("me:{folder}", "no password can be read from"),
        ("me:{file}", f"has 7 characters: give {SHORTEST} or more"),
        ("me:{latin}", "no UTF-8"),
    ],
)
def test_what_is_no_login(tmp_path, text, words):
    file, latin = tmp_path / "short", tmp_path / "latin"
    file.write_text("1234567\n")
    latin.write_bytes(b"caf\xe9 caf\xe9 caf\xe9")
    with pytest.raises(ConfigError, match=words):
        Login.read(text.format(file=file, folder=tmp_path, latin=latin))


def test_a_demo_with_no_password_for_a_network_says_so(capsys):
    """It goes on to the next mistake, for which the tests need no open port."""
    assert main(["demo", "--host", "0.0.0.0", "--checkpoint", "/nowhere"]) == 2
    words = "whoever reaches this machine at 0.0.0.0 can use the demo: --auth USER:FILE"
    assert words in capsys.readouterr().err
    assert main(["demo", "--checkpoint", "/nowhere"]) == 2
    assert "--auth" not in capsys.readouterr().err
    assert main(["demo", "--auth", "me", "--checkpoint", "/nowhere"]) == 2
    assert "give USER:FILE" in capsys.readouterr().err
