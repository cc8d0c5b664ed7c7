"""Two runs do not write into one place, and no lock outlives its process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from lseg.errors import InUseError, LSegWarning
from lseg.locks import file_lock, folder_lock


def hold(folder, ready):
    """Holds a folder, as does a child that it forks, as training forks workers."""
    with folder_lock(folder):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
        ready.put(child.pid)
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    """A process that holds `tmp_path / "out"`, and the number of its child."""
    ready = multiprocessing.get_context("forkserver").Queue()
    process = multiprocessing.get_context("forkserver").Process(
        target=hold, args=(tmp_path / "out", ready)
    )
    process.start()
    child = ready.get(timeout=120)
    yield process
    process.kill()
    process.join()
    os.kill(child, signal.SIGKILL)


def test_a_folder_has_one_run_and_says_which(tmp_path, holder):
    out = tmp_path / "out"
    with pytest.raises(InUseError) as caught, folder_lock(out):
        pass
    text = str(caught.value)
    assert f"{out} is being written by another run (lseg" in text
    assert f"process {holder.pid} on " in text
    assert len(text.splitlines()) == 1


def test_a_killed_process_holds_nothing_though_its_child_lives(tmp_path, holder):
    out = tmp_path / "out"
    holder.kill()
    holder.join()
    assert [path.name for path in out.iterdir()] == [".lseg.lock"]  # a file that locks nothing
    with folder_lock(out):
        assert str(os.getpid()) in (out / ".lseg.lock").read_text()
    assert list(out.iterdir()) == []


def test_a_folder_that_nothing_came_into_is_gone_again(tmp_path):
    with pytest.raises(KeyError), folder_lock(tmp_path / "a" / "b"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with folder_lock(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "result").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["result"]


def test_the_processes_of_one_run_share_a_folder(tmp_path):
    with folder_lock(tmp_path), folder_lock(tmp_path, rank=1), pytest.raises(InUseError):
        folder_lock(tmp_path, rank=1).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_file_has_one_run_and_others_beside_it_go_on(tmp_path):
    name = "x" * 250 + ".json"
    held = pytest.raises(InUseError, match=r"x\.json is being written")
    with file_lock(tmp_path / name), file_lock(tmp_path / "b.json"), held:
        file_lock(tmp_path / name).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_drive_without_locks_is_noted(tmp_path, monkeypatch):
    def refuse(self):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    told = pytest.warns(LSegWarning, match="cannot be locked.*start no second run")
    with told, folder_lock(tmp_path / "out"):
        (tmp_path / "out" / "result").touch()


CONTENDER = """
import sys
from pathlib import Path
from lseg.errors import InUseError
from lseg.locks import folder_lock
print("ready", flush=True)
sys.stdin.readline()
try:
    with folder_lock(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.readline()
except InUseError as error:
    print(error, flush=True)
"""


def test_of_two_processes_at_the_same_moment_one_has_the_folder(tmp_path):
    for attempt in range(5):
        out = tmp_path / str(attempt) / "out"
        both = [
            subprocess.Popen(
                [sys.executable, "-c", CONTENDER, out],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip
        assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
        for process in both:
            process.stdin.write("\n")
            process.stdin.flush()
        refused, held = sorted((process.stdout.readline() for process in both), key="held\n".__eq__)
        assert held == "held\n"
        assert refused.startswith(f"{out} is being written by another run")
        assert [process.communicate("\n", timeout=60) for process in both] == [("", None)] * 2
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
