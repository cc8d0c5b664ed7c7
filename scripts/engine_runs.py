"""Runs of `lseg embed` in processes of their own, which can be watched and killed.

They are forked from a process that has imported everything, so that a start costs little. What
torchrun does is done by its own agent, and Ray's actors are processes that Ray starts.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple, NoReturn

import psutil

FORK = multiprocessing.get_context("fork")


def preload() -> None:
    """Imports what runs need, for one thread and no GPU; no thread is started by it."""
    os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    os.environ["RAY_AUTH_MODE"] = "token"  # as a cluster of `ray.init` has it, for other drivers
    for name in ("lseg.cli", "lseg.commands.embed", "lseg.pipeline.ray_engine", "open_clip"):
        importlib.import_module(name)
    importlib.import_module("torch.distributed.launcher.api")


class Usage(NamedTuple):
    """Of some processes.

    Attributes:
        wall: When this was.
        cpu: Seconds of processors, by what the processes are.
        resident: The largest resident memory of a process in MB, by what it is.
    """

    wall: float
    cpu: dict[str, float]
    resident: dict[str, float]


class Run:
    """`lseg` on an engine; what it prints is kept beside its results."""

    def __init__(
        self,
        engine: str,
        words: Sequence[object],
        out: Path,
        workers: int = 2,
        cluster: psutil.Process | None = None,
    ) -> None:
        """Starts it.

        Args:
            engine: local, torchrun or ray.
            words: Of the command, without `--out` and the engine's options.
            out: Folder of the results.
            workers: Processes of torchrun, or actors of Ray.
            cluster: Holds the cluster to connect to; by default Ray starts one of its own.
        """
        self.engine, self.out, self.cluster = engine, out, cluster
        command = [*map(str, words), "--out", str(out)]
        log = out.with_suffix(".log")
        self.process = FORK.Process(target=_child, args=(engine, command, workers, log))
        self.process.start()
        self.resident: dict[str, float] = {}
        self._cpu: dict[tuple[str, int], float] = {}

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.process.is_alive()

    def written(self) -> int:
        """How many arrays are there."""
        if not self.out.is_dir():
            return 0
        return sum(name.endswith(".npy") and name[0] != "." for name in os.listdir(self.out))  # noqa: PTH208

    def wait(self, count: int | None = None, every: float = 0.05) -> Usage:
        """Returns when so many arrays are there, or when it has ended; what it has used by then."""
        looked = 0.0
        while self.running and (count is None or self.written() < count):
            if time.monotonic() - looked > 1:
                looked = self.look().wall
            time.sleep(every)
        return self.look()

    def look(self) -> Usage:
        """What it uses now, with all that it has started."""
        for process, kind in self._processes():
            with contextlib.suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                self._cpu[kind, process.pid] = times.user + times.system
                size = process.memory_info().rss / 1e6
                self.resident[kind] = max(size, self.resident.get(kind, 0))
        cpu: dict[str, float] = defaultdict(float)
        for (kind, _), seconds in self._cpu.items():
            cpu[kind] += seconds
        return Usage(time.monotonic(), cpu, dict(self.resident))

    def workers(self) -> list[psutil.Process]:
        """The processes that do pictures."""
        return [process for process, kind in self._processes() if kind in ("actor", "worker")]

    def kill(self) -> None:
        """Kills the driver, and waits until what it had started is gone; a cluster stays."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()
        _, alive = psutil.wait_procs(below, timeout=60)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=30)

    def _processes(self) -> Iterator[tuple[psutil.Process, str]]:
        with contextlib.suppress(psutil.Error):
            driver = psutil.Process(self.process.pid)
            yield driver, "driver"
            roots = [driver] if self.cluster is None else [driver, self.cluster]
            for process in (child for root in roots for child in root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    yield process, self._kind(process.name())

    def _kind(self, name: str) -> str:
        if self.engine != "ray":
            return "worker"
        if name.startswith("ray::MapWorker"):
            return "actor"
        return "raylet" if name == "raylet" else "other"


def _child(engine: str, command: list[str], workers: int, log: Path) -> None:
    _apart(log)
    if engine == "torchrun":
        _torchrun(command, workers)
    elif engine == "ray":
        _lseg([*command, "--engine", "ray", "--actors", str(workers)])
    else:
        _lseg(command)


def _apart(log: Path) -> None:
    """This process prints into a file, and gets no signals of the terminal."""
    os.setsid()
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _lseg(command: list[str]) -> NoReturn:
    from lseg.cli import main

    sys.exit(main(command))


def _torchrun(command: list[str], workers: int) -> None:
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=workers, run_id=str(os.getpid()), max_restarts=0,
        rdzv_backend="c10d", rdzv_endpoint="localhost:0", start_method="fork",
    )  # fmt: skip
    elastic_launch(config, _lseg)(command)


@contextlib.contextmanager
def ray_cluster(log: Path) -> Iterator[psutil.Process]:
    """A cluster on this machine, with two processors, for drivers that come and go."""
    ours, theirs = FORK.Pipe()
    process: BaseProcess = FORK.Process(target=_hold_cluster, args=(log, theirs))
    process.start()
    before: Mapping[str, str] = dict(os.environ)
    os.environ["RAY_ADDRESS"] = ours.recv()
    try:
        yield psutil.Process(process.pid)
    finally:
        os.environ.pop("RAY_ADDRESS")
        os.environ |= before
        ours.send(None)
        process.join()


def _hold_cluster(log: Path, pipe: Connection) -> None:
    import ray

    _apart(log)
    ray.init("local", num_cpus=2, include_dashboard=False)
    pipe.send(ray.get_runtime_context().gcs_address)
    pipe.recv()
    ray.shutdown()
