"""Strangers' pages, and strangers' names for this machine."""

import json
import socket

import pytest
from plain_http import FORM, JSON, form, png, request

from lseg.demo.names import Names, hostname, is_loopback
from lseg.demo.server import running_server

EVIL = "evil.example"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:7860", "localhost"),
        ("LocalHost", "localhost"),
        ("[::1]:7860", "::1"),
        ("127.0.0.1.", "127.0.0.1"),
        (None, None),
        ("", None),
        ("127.0.0.1@evil.example", None),
        ("evil.example/127.0.0.1", None),
        ("[::1", None),
    ],
)
def test_the_name_in_a_host(host, name):
    assert hostname(host) == name


@pytest.mark.parametrize("name", ["localhost", "a.localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_names_of_this_machine_alone(name):
    assert is_loopback(name)
    assert Names("127.0.0.1").knows(name)


@pytest.mark.parametrize("name", [EVIL, "localhost.evil.example", "0.0.0.0", "192.168.0.3", "::"])
def test_names_of_others(name):
    assert not is_loopback(name)
    assert not Names("127.0.0.1").knows(name)


def test_a_server_for_a_network_is_known_by_its_addresses_and_its_own_name():
    names = Names("0.0.0.0", ["Demo.example.org"])
    for known in ("192.168.0.3", "2001:db8::1", socket.gethostname().lower(), "demo.example.org"):
        assert names.knows(known)
    assert not names.knows(EVIL)
    assert Names("demo.example.org").knows("demo.example.org")


@pytest.mark.parametrize(
    ("host", "origin", "site", "refused"),
    [
        ("localhost:7860", None, None, False),  # no browser, or a link
        ("localhost:7860", "http://localhost:7860", "same-origin", False),
        ("localhost:7860", "http://localhost:3000", None, True),
        ("localhost:7860", "http://127.0.0.1:7860", None, True),
        ("localhost:7860", f"https://{EVIL}", "cross-site", True),
        ("localhost:7860", "null", None, True),
        ("localhost:7860", "", None, True),
        ("localhost:7860", None, "cross-site", True),  # a picture in a page of theirs
        ("localhost:7860", None, "same-site", True),
        ("localhost:7860", None, "none", False),
        (f"{EVIL}:7860", f"http://{EVIL}:7860", "same-origin", True),  # DNS rebinding
        (EVIL, None, None, True),
        ("demo.example.org", "https://demo.example.org", "same-origin", False),
        ("localhost:7860", "https://demo.example.org", "same-origin", False),  # through a proxy
    ],
)
def test_who_may_ask(host, origin, site, refused):
    names = Names("127.0.0.1", ["demo.example.org"])
    assert (names.refusal(host, origin, site, linked=False) is not None) is refused


def routes(url):
    """One request each of those that read or change something."""
    return [
        ("", None, {}),
        ("config", None, {}),
        ("gradio_api/info", None, {}),
        ("gradio_api/upload", form(png()), FORM),
        ("gradio_api/call/segment", json.dumps({"data": []}).encode(), JSON),
        ("gradio_api/queue/join", b'{"data": [], "fn_index": 1, "session_hash": "a"}', JSON),
        ("gradio_api/queue/join", b'{"data": []}', {"Content-Type": "text/plain"}),
        ("gradio_api/heartbeat/abc", None, {}),
        ("logout", None, {}),
    ]


@pytest.mark.parametrize(
    "strange",
    [
        {"Origin": f"http://{EVIL}"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        {"Host": EVIL},
        {"Host": f"{EVIL}:7860", "Origin": f"http://{EVIL}:7860"},
        {"Host": "0.0.0.0:7860"},
    ],
)
def test_every_route_refuses_strangers(url, strange):
    for route, data, headers in routes(url):
        status, body = request(url + route, data, **headers, **strange)
        assert status == 403, route
        assert b"may not ask" in body or b"--allowed-hosts" in body


def test_a_link_to_the_page_may_be_followed_from_anywhere(url):
    from_elsewhere = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert request(url, **from_elsewhere, Sec_Fetch_Dest="document")[0] == 200
    assert request(url, **from_elsewhere, Sec_Fetch_Dest="iframe")[0] == 403
    logout = f"{url}logout"
    assert request(logout, **from_elsewhere, Sec_Fetch_Dest="document")[0] == 403


def test_the_page_itself_may_ask(url):
    own = {"Origin": url.rstrip("/"), "Sec_Fetch_Site": "same-origin"}
    assert request(f"{url}gradio_api/upload", form(png()), **FORM, **own)[0] == 200


def test_a_proxy_in_front_is_named(service):
    with running_server(service, "about", allowed_hosts=["demo.example.org"]) as url:
        data = form(png())
        for host in ("demo.example.org", "127.0.0.1:7860"):
            asked = {"Host": host, "Origin": "https://demo.example.org"}
            assert request(f"{url}gradio_api/upload", data, **FORM, **asked)[0] == 200
        assert request(url, Host=EVIL)[0] == 403
