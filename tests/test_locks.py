"""Two runs do not write into one place, and no lock outlives its process."""

import multiprocessing
import os
import signal
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
