"""Ctrl-C, kills and second runs, for commands over many pictures."""

import re
import signal

import pytest
from drawing import draw
from killable import Command
from PIL import Image

LABELS = "sky,road,tree,other"


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        Image.fromarray(draw(96, 128, seed=number)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def commands(many, checkpoint, tmp_path):
    model = ["--checkpoint", checkpoint, "--device", "cpu", "--out", tmp_path / "out"]
    return {
        "predict": ["predict", many, "--labels", LABELS, *model],
        "embed": ["embed", many, *model, "--dtype", "float32"],
    }


def finished(folder, count):
    return lambda: len(list(folder.glob("[!.]*.json"))) >= count


@pytest.mark.parametrize("name", ["predict", "embed"])
def test_ctrl_c_leaves_what_is_finished_and_says_how_to_go_on(commands, run, tmp_path, name):
    out = tmp_path / "out"
    command = Command(commands[name], tmp_path / "log.txt")
    assert command.wait_until(finished(out, 3))
    assert command.kill(signal.SIGINT) == 130
    (line,) = re.findall("^lseg: .*$", command.printed, re.MULTILINE)
    assert line == (
        f"lseg: interrupted: what is finished is whole, in {out}; the same command again does the "
        "rest"
    )
    assert "Traceback" not in command.printed
    done = list(out.glob("*.json"))
    assert 3 <= len(done) < 40
    assert [path for path in out.rglob(".*") if path.is_file()] == []
    assert run(*commands[name])[0] == 0
    assert len(list(out.glob("[0-9]*.json"))) == 40


@pytest.mark.parametrize("name", ["predict", "embed"])
def test_a_second_run_is_refused_until_the_first_has_ended(commands, run, tmp_path, name):
    out = tmp_path / "out"
    first = Command(commands[name], tmp_path / "log.txt")
    assert first.wait_until(finished(out, 1))
    first.stop()
    code, _, err = run(*commands[name])
    assert code == 2
    (line,) = err.splitlines()
    assert f"{out} is being written by another run (lseg" in line
    assert f"process {first.process.pid}" in line
    first.kill()
    assert run(*commands[name])[0] == 0
    assert [path for path in out.rglob(".*") if path.is_file()] == []
