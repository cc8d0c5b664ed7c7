"""Actors of Ray do what the plain loop does, to the byte, also where one is killed."""

import json
import os
import signal
import threading
import time

import psutil
import pytest
import torch
from drawing import names, save_frames

from lseg.checkpoints.load import load_model
from lseg.pipeline.ray_actors import Share

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # interpreters start, on a busy machine


@pytest.fixture
def frames(tmp_path):
    """Thirty pictures, of which two are cut off."""
    return save_frames(tmp_path / "frames", 30, broken=(7, 19))


@pytest.fixture
def command(run, checkpoint, depth_folder, frames, tmp_path):
    def call(name, out, *more):
        model = depth_folder if name == "depth" else checkpoint
        labels = ["--labels", "sky,road,other"] if name == "predict" else []
        return run(name, frames, *labels, "--checkpoint", model, "--out", tmp_path / out, *more)

    return call


RAY = ["--engine", "ray", "--device", "cpu", "--actors"]  # each of which costs seconds to start


def contents(folder):
    """The results in a folder, without the record of the options, which names the folder."""
    kept = [name for name in names(folder) if not name.endswith(".yaml")]
    return {name: (folder / name).read_bytes() for name in kept}


def index_of(folder, name):
    """Rows without what differs from run to run."""
    lines = (folder / f"{name}.index.jsonl").read_text().splitlines()
    return [json.loads(line) | {"seconds": None} for line in lines]


def test_actors_write_what_the_plain_loop_writes(cluster, command, tmp_path):
    assert command("depth", "plain")[0] == 3
    code, told, err = command("depth", "ray", *RAY, 2)
    assert code == 3
    assert "28 " in told
    lines = [line for line in err.replace("\r", "\n").splitlines() if line.startswith("lseg: ")]
    assert sum("07.png" in line for line in lines) == sum("19.png" in line for line in lines) == 1
    assert contents(tmp_path / "ray") == contents(tmp_path / "plain")
    assert index_of(tmp_path / "ray", "depth") == index_of(tmp_path / "plain", "depth")
    assert (tmp_path / "ray" / "depth.yaml").is_file()


def test_the_other_engine_goes_on_with_what_is_left(cluster, command, tmp_path):
    """And writes of it, as label maps, what the plain loop has written."""
    command("predict", "plain")
    whole = contents(tmp_path / "plain")
    out = tmp_path / "plain"
    left = {path.name: path.stat().st_mtime_ns for path in out.glob("0*")}
    for name in set(whole) - set(left):
        (out / name).unlink()
    assert command("predict", "plain", *RAY, 2)[0] == 3
    assert contents(out) == whole
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("0*")} == left


def test_an_actor_that_is_killed_is_replaced(cluster, command, tmp_path):
    command("embed", "plain")
    ended = []
    thread = threading.Thread(target=lambda: ended.append(command("embed", "ray", *RAY, 2)))
    thread.start()
    while not list((tmp_path / "ray").glob("*.npy")) and thread.is_alive():
        time.sleep(0.01)
    actors = [
        process for process in psutil.Process().children(recursive=True)
        if "MapWorker" in " ".join(process.cmdline())
    ]  # fmt: skip
    os.kill(actors[0].pid, signal.SIGKILL)
    thread.join()
    assert ended[0][0] == 3
    assert contents(tmp_path / "ray") == contents(tmp_path / "plain")
    assert not list((tmp_path / "ray").glob(".*"))


def test_what_ends_a_run_in_an_actor_is_told_in_a_line(
    cluster, command, frames, checkpoint, tmp_path
):
    model = load_model(checkpoint)
    with torch.no_grad():
        model.project.bias += 1e5
    model.save_pretrained(tmp_path / "large")
    for name in ("07.png", "19.png"):
        (frames / name).unlink()
    code, _, err = command("embed", "out", "--checkpoint", tmp_path / "large", "--raw", *RAY, 1)
    message = err.replace("\r", "\n").splitlines()[-1]
    assert code == 2
    assert message.startswith("lseg: ")
    assert "--dtype float32" in message


def test_the_first_broken_picture_ends_a_strict_run(cluster, command):
    code, _, err = command("depth", "strict", "--strict", *RAY, 1)
    assert code == 2
    assert "cannot be decoded" in err.replace("\r", "\n").splitlines()[-1]


def test_one_file_for_all_pictures_is_not_made_by_actors(refused, frames, checkpoint, tmp_path):
    more = ["--labels", "sky,road", "--format", "coco", "--out", tmp_path / "o", "--engine", "ray"]
    assert "--format coco is not made by --engine ray" in refused(
        "predict", frames, "--checkpoint", checkpoint, *more
    )


def test_processes_of_torchrun_are_not_for_ray(refused, frames, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    more = ["--checkpoint", checkpoint, "--out", tmp_path / "o", "--engine", "ray"]
    assert "run it without torchrun" in refused("embed", frames, *more)


@pytest.mark.parametrize(
    ("resources", "nodes", "actors", "wanted"),
    [
        ({"CPU": 8}, [8], None, Share(4, 2, 0)),
        ({"CPU": 8}, [8], 2, Share(2, 4, 0)),
        ({"CPU": 2}, [2], 4, Share(4, 0.5, 0)),
        ({"CPU": 1}, [1], None, Share(1, 1, 0)),
        ({"CPU": 128, "GPU": 8}, [128], None, Share(8, 16, 1)),
        ({"CPU": 40, "GPU": 4}, [32, 8], None, Share(4, 8, 1)),
        ({"CPU": 128, "GPU": 8}, [128], 60, Share(60, 2, 1 / 8)),
    ],
)
def test_processors_and_gpus_are_shared_evenly(resources, nodes, actors, wanted):
    assert Share.of(resources, [{"CPU": cpus} for cpus in nodes], actors) == wanted


def test_threads_are_those_that_are_asked_for(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert [Share(1, cpus, 0).threads for cpus in (0.5, 1, 4)] == [1, 1, 4]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert Share(1, 8, 0).threads == 3
