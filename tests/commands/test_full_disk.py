"""A disk that takes no more: one line, exit code 2, and no file that is not whole."""

import re
import sys

import pytest
from drawing import save_depth_net
from full_disk import room_for

LABELS = "sky,road,tree,other"
ROOM = (40, 700, 3000)  # bytes; the first is too little for any result


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch):
    """Python itself would write half of a `.pyc`, and later read it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture(scope="session")
def depth_net(tmp_path_factory):
    return save_depth_net(tmp_path_factory.mktemp("depth"))


@pytest.fixture
def commands(pictures, data, checkpoint, depth_net, tmp_path):
    """Every command that writes, by name: its words without the place of the results."""
    model = ["--checkpoint", checkpoint, "--device", "cpu"]
    labels = ["--labels", LABELS]
    return {
        "predict": ["predict", pictures, *labels, *model, "--out", tmp_path / "out"],
        "coco": ["predict", pictures, *labels, *model, "--format", "coco", "--out",
                 tmp_path / "out"],
        "npy": ["embed", pictures, *model, "--out", tmp_path / "out"],
        "safetensors": ["embed", pictures, *model, "--format", "safetensors", "--out",
                        tmp_path / "out"],
        "pt": ["embed", pictures, *model, "--format", "pt", "--out", tmp_path / "out"],
        "pca": ["embed", pictures, *model, "--pca", "4", "--out", tmp_path / "out"],
        "depth": ["depth", pictures, "--checkpoint", depth_net, "--device", "cpu", "--out",
                  tmp_path / "out"],
        "evaluate": ["evaluate", "--dataset", "pairs", "--data-root", data, *model,
                     "--workers", "0", "--out", tmp_path / "out" / "x.json"],
        "fewshot": ["fewshot", "--benchmark", "pairs", "--data-root", data, "--fold", "0",
                    "--size", "32", "--workers", "0", *model, "--out", tmp_path / "out" / "x.json"],
        "memory": ["memory", "build", "--data-root", data, *model,
                   "--out", tmp_path / "out" / "m.safetensors"],
    }  # fmt: skip


NAMES = ("predict", "coco", "npy", "safetensors", "pt", "pca", "depth", "evaluate", "fewshot",
         "memory")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_ends_in_one_line_and_leaves_whole_files(run, commands, tmp_path, name):
    for size in ROOM:
        with room_for(size):
            code, _, err = run(*commands[name])
        lines = [line for line in err.splitlines() if line.startswith("lseg: ")]
        assert "Traceback" not in err
        assert code == 2 or (code == 0 and size > ROOM[0]), (size, err)
        if code == 2:
            assert re.search("File too large|the disk takes no more", lines[-1])
        left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
        assert [path for path in left if path.name.startswith(".")] == []
        assert all(path.stat().st_size < size for path in left)
    code, _, err = run(*commands[name])
    assert code == 0, err


def test_a_memory_that_cannot_grow_stays_as_it_was(run, commands, pictures, checkpoint, tmp_path):
    assert run(*commands["memory"])[0] == 0
    memory = tmp_path / "out" / "m.safetensors"
    before = memory.read_bytes()
    model = ["--checkpoint", checkpoint, "--device", "cpu"]
    add = ["memory", "add", memory, pictures / "a.png", "--box", "8", "8", "40", "40"]
    with room_for(100):
        code, _, err = run(*add, *model, "--label", "my mug")
    assert code == 2
    assert f"{memory} cannot be written: " in err
    assert re.search("File too large.*What was there before is still whole", err)
    assert memory.read_bytes() == before


def test_a_model_folder_appears_whole_or_not_at_all(run, tmp_path, checkpoint):
    """`lseg convert` of what is a foreign file, and the folder that a training leaves."""
    from lseg.errors import OutputError
    from lseg.models.lseg import LSeg

    model = LSeg.from_pretrained(checkpoint)
    with room_for(5000), pytest.raises(OutputError, match=r"model\.safetensors cannot be written"):
        model.save_pretrained(tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []
