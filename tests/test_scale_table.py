"""The tables of docs/scale.md are what the script computes."""

import sys

import pages
import pytest


@pytest.fixture
def scale_table(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(pages.ROOT / "scripts"), *sys.path])
    import scale_table

    return scale_table


def test_the_page_shows_what_the_script_prints(scale_table, capsys):
    page = (pages.ROOT / "docs" / "scale.md").read_text("utf-8")
    for options in ([], ["--megabytes", "0.45", "--writing", "0.174"]):
        scale_table.main(options)
        assert capsys.readouterr().out in page


def test_the_scarcest_limits(scale_table):
    rate = scale_table.rate
    assert rate(1, network=0.5, writing=0.5, actors=1, megabytes=1, storage=1) == (1, "actors")
    assert rate(2, network=0.5, writing=0.5, actors=8, megabytes=1, storage=1) == (4, "GPUs")
    assert rate(100, network=0.5, writing=0, actors=8, megabytes=100, storage=1) == (10, "storage")
