"""Paths as users give them."""

import os
from pathlib import Path

import pytest

from lseg.errors import CheckpointError, LSegError
from lseg.paths import cache_dir, exists, is_file, resolve_data_path, user_path

IMPOSSIBLE = ["a" * 300, "folder/" + "b" * 256, "a\0b", "a/" * 3000]


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_what_can_be_no_path_is_refused_in_a_line(text):
    with pytest.raises(LSegError, match="is no path") as caught:
        user_path(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
    with pytest.raises(CheckpointError):
        user_path(text, CheckpointError)
    with pytest.raises(LSegError):
        resolve_data_path(text)


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_nothing_is_there(text):
    assert not is_file(text)
    assert not exists(text)


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/a") == tmp_path / "a"
    assert resolve_data_path("~/a") == tmp_path / "a"
    assert user_path("a/~b") == Path("a/~b")
    assert user_path("~there-is-no-such-user/a") == Path("~there-is-no-such-user/a")


def test_the_cache_needs_no_home(monkeypatch, tmp_path):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as without a home
    monkeypatch.delenv("LSEG_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(OSError):  # of the system, whichever it is
        (cache_dir() / "text").mkdir(parents=True)
    monkeypatch.setenv("LSEG_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path


def test_a_relative_path_is_looked_up_beside_its_file_first(monkeypatch, tmp_path):
    places = [tmp_path / name for name in ("beside", "second", "data", "here")]
    for place in places:
        place.mkdir()
    monkeypatch.setenv("LSEG_DATA", str(places[2]))
    monkeypatch.chdir(places[3])
    (places[3] / "t").touch()
    assert resolve_data_path("t", places[0], None, places[1]) == Path("t")
    for place in reversed(places[:3]):
        (place / "t").touch()
        assert resolve_data_path("t", places[0], None, places[1]) == place / "t"
    assert resolve_data_path("none", places[0]) == places[2] / "none"
