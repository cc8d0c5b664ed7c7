"""A full disk under the commands that write models, programs, tables, and answers to embeddings."""

import re
import sys

import pytest
from dpt_family import depth_anything, save_peer
from full_disk import room_for


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch):
    """Python itself would write half of a `.pyc`, and later read it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture(scope="session")
def theirs(tmp_path_factory):
    """A depth network as transformers stores it."""
    return save_peer(depth_anything(), tmp_path_factory.mktemp("theirs"))


@pytest.fixture
def command(run, tmp_path, checkpoint, theirs, pictures, request):
    """Words of the command, the place of what it writes among them."""
    out, model = tmp_path / "out", ["--checkpoint", checkpoint]
    name = request.param
    if name == "query":
        embeddings = tmp_path / "embedded"
        assert run("embed", pictures, *model, "--device", "cpu", "--out", embeddings)[0] == 0
        return ["query", embeddings, "--labels", "sky,road", "--out", out]
    return {
        "onnx": ["export", *model, "--out", out / "net.onnx"],
        "pt2": ["export", *model, "--out", out / "net.pt2"],
        "transformers": ["export", "--format", "transformers", "--checkpoint", theirs, "--out",
                         out],
        "convert": ["convert", theirs, out / "net"],
        "labels encode": ["labels", "encode", "red circle", "blue star", "--clip-model", "tiny",
                          "--out", out / "words.safetensors"],
    }[name]  # fmt: skip


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("onnx", "pt2")]


@pytest.mark.parametrize(
    "command", [*SLOW, "transformers", "convert", "labels encode", "query"], indirect=True
)
def test_a_full_disk_ends_in_one_line_and_leaves_nothing_half_written(run, command, tmp_path):
    room = 500  # bytes; less than a model, a program, a table or an overlay
    with room_for(room):
        code, _, err = run(*command)
    assert "Traceback" not in err
    assert code == 2, err
    *_, told = [line for line in err.splitlines() if line.startswith("lseg: ")]
    assert re.search("cannot be written: .*(File too large|the disk takes no more)", told)
    written = [path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert all(size < room for size in written)  # small ones, such as a label map, are whole
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("command", ["transformers", "convert"], indirect=True)
def test_a_model_appears_whole_or_not_at_all(run, command, tmp_path):
    """Where its configuration finds room and its weights do not."""
    with room_for(30_000):
        code, _, err = run(*command)
    assert code == 2, err
    assert not any(path.is_file() for path in (tmp_path / "out").rglob("*"))
    assert run(*command)[0] == 0
