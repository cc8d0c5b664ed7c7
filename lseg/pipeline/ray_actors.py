"""Actors of Ray Data: processes, here or on a cluster, that each do what they are sent."""

import logging
import math
import os
import pickle
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np
import pyarrow as pa
import ray
import ray.data
import torch

from lseg.errors import ConfigError, LSegError

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT", covariant=True)

BATCH = 16
"""Tasks that an actor is sent at once; an actor that dies loses no more work than these."""

STARTS = 4
"""How often Ray is started until it is there."""


class Opening(Protocol[TaskT, ResultT]):
    """What an actor does when it starts; picklable."""

    def __call__(self) -> Callable[[list[TaskT]], Iterator[ResultT]]:
        """Loads the network; returns what does some tasks, a result each."""
        ...


class Share(NamedTuple):
    """What each actor has.

    Attributes:
        actors: How many there are.
        cpus: Of each.
        gpus: Of each: one, or a part of one where there are more actors than GPUs.
    """

    actors: int
    cpus: float
    gpus: float

    @classmethod
    def of(
        cls, resources: dict[str, float], nodes: Sequence[dict[str, float]], actors: int | None
    ) -> "Share":
        """An actor a GPU, or without GPUs for two processors.

        Args:
            resources: Of the whole cluster, as Ray names them.
            nodes: Of each machine.
            actors: How many, if given.
        """
        total, gpus = resources.get("CPU", 1), int(resources.get("GPU", 0))
        count = actors or gpus or max(1, int(total) // 2)
        cpus = min(total / count, *(node.get("CPU", total) for node in nodes))
        together = math.ceil(count / gpus) if gpus else 0  # on a GPU
        return cls(count, cpus if cpus < 1 else math.floor(cpus), 1 / together if gpus else 0)

    @property
    def threads(self) -> int:
        """Of an actor."""
        return int(os.environ.get("OMP_NUM_THREADS") or max(1, self.cpus))


class Actor:
    """What Ray starts in a process of its own; it stays, with its network, for the whole run."""

    def __init__(self, opening: Opening[Any, Any], threads: int, folder: str) -> None:
        """Loads the network.

        Args:
            opening: Of what it does.
            threads: That the network computes with.
            folder: Where relative paths start.
        """
        with suppress(OSError):  # paths may all be absolute
            os.chdir(folder)
        torch.set_num_threads(threads)
        try:
            self.do: Callable[[list[Any]], Iterator[Any]] | LSegError = opening()
        except LSegError as error:  # Ray would start the actor again and again
            self.do = error

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[bytes]]:
        """Results of some tasks, or what ends the run: Ray would wrap an error, and lose it."""
        return {"result": [*map(pickle.dumps, self._results(batch))]}

    def _results(self, batch: dict[str, np.ndarray]) -> Iterator[Any]:
        try:
            if isinstance(self.do, LSegError):
                raise self.do
            yield from self.do([*map(pickle.loads, batch["task"])])
        except LSegError as error:
            yield error


@dataclass(frozen=True)
class Actors:
    """Who does tasks; a task goes to whichever actor is free.

    Attributes:
        count: How many; see `Share.of`.
        gpus: Whether they take a GPU each where there are any.
    """

    count: int | None = None
    gpus: bool = True

    def results(
        self, opening: Opening[TaskT, ResultT], tasks: Sequence[TaskT]
    ) -> Generator[ResultT]:
        """Results as actors send them, in any order; to be closed where not all are taken.

        A task whose actor was killed is done again.

        Raises:
            ConfigError: If Ray cannot be had.
            LSegError: What an actor could not go on after.
        """
        with cluster():
            resources = ray.cluster_resources()
            if not self.gpus:
                resources.pop("GPU", None)
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            share = Share.of(resources, nodes, self.count)
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False  # there is one already
            context.print_on_execution_start = False
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            results = _blocks(tasks, share.actors).map_batches(
                Actor,
                batch_size=BATCH,
                compute=ray.data.ActorPoolStrategy(size=share.actors),
                num_cpus=share.cpus,
                num_gpus=share.gpus,
                fn_constructor_kwargs={
                    "opening": opening,
                    "threads": share.threads,
                    "folder": os.getcwd(),  # noqa: PTH109
                },
            )
            for block in results.iter_batches(batch_size=None, batch_format="pyarrow"):
                for value in cast("pa.Table", block)["result"].to_pylist():
                    result = pickle.loads(value)
                    if isinstance(result, LSegError):
                        raise result
                    yield result


def _blocks(tasks: Sequence[Any], actors: int) -> ray.data.Dataset:
    """Tasks in blocks; pickled, for names of files need be no UTF-8."""
    size = max(1, min(BATCH, math.ceil(len(tasks) / (4 * actors))))
    # Not from_arrow, which asks other processes about every table.
    return ray.data.from_items(
        [{"task": pickle.dumps(task)} for task in tasks],
        override_num_blocks=math.ceil(len(tasks) / size),
    )


@contextmanager
def cluster() -> Iterator[None]:
    """Ray: as this process has it, on the cluster of `RAY_ADDRESS`, or on this machine alone."""
    if ray.is_initialized():
        yield
        return
    _connect()
    try:
        yield
    finally:
        ray.shutdown()


def _connect() -> None:
    """Connects to a cluster, or starts Ray here, which gives up after 30 s on a busy machine.

    Raises:
        ConfigError: If that fails.
    """
    address = os.environ.get("RAY_ADDRESS")
    for left in reversed(range(STARTS)):
        try:
            ray.init(
                address or "local",
                include_dashboard=None if address else False,
                logging_level=logging.ERROR,
            )
            return
        except Exception as error:  # Ray raises a plain one where it was too slow
            ray.shutdown()
            if not left:
                where = f"at {address} (RAY_ADDRESS)" if address else "on this machine"
                hint = "; a cluster with a token wants RAY_AUTH_MODE=token" if address else ""
                raise ConfigError(f"Ray cannot be had {where}: {error}{hint}") from error
