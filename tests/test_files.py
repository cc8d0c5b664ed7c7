import json

import pytest

from lseg.files import atomic_file, write_json


def test_the_file_appears_when_the_block_ends_with_its_folders(tmp_path):
    path = tmp_path / "new" / "folder" / "result.png"
    with atomic_file(path) as partial:
        assert partial.suffix == ".png"  # writers that go by the suffix need it
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_file(path) as partial:
        partial.write_text("half of the n")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "result.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "result.txt"
    with atomic_file(path) as first, atomic_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


def test_json_is_readable_by_people_and_keeps_every_script(tmp_path):
    values = {"label": "空|天", "shares": [0.5, None]}
    write_json(tmp_path / "result.json", values)
    text = (tmp_path / "result.json").read_text("utf-8")
    assert json.loads(text) == values
    assert "空|天" in text
    assert text.count("\n") > 4


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "result.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "result.json", {"a": object()})
    assert json.loads((tmp_path / "result.json").read_text()) == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1
