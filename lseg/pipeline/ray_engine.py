"""The engine for more than one machine: actors of Ray Data, each with a network of its own.

Blocks carry names and hashes alone: what a picture becomes, the actor itself writes.
"""

import logging
import math
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import ray
import ray.data
import torch
from tqdm import tqdm

from lseg.errors import ConfigError, ImageError, LSegError
from lseg.inference.prefetch import read_ahead
from lseg.pipeline.entry import Entry
from lseg.pipeline.loop import BROKEN
from lseg.pipeline.rows import Row
from lseg.pipeline.run import Outcome, PictureRun
from lseg.pipeline.step import Job
from lseg.pipeline.worker import Loaded, Place, Worker

BATCH = 16
"""Pictures that an actor is sent at once; an actor that dies loses no more work than these."""


STARTS = 4
"""How often Ray is started until it is there."""


class Task(NamedTuple):
    """A picture, and what the index says of it."""

    row: Row
    known: Entry | None


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


class PictureActor:
    """What Ray starts in a process of its own; it stays, with its network, for the whole run."""

    def __init__(
        self, job: Job, place: Place, versions: dict[str, str], threads: int, folder: str
    ) -> None:
        """Loads the network.

        Args:
            job: What is made of a picture.
            place: Where results go.
            versions: For the index.
            threads: That the network computes with.
            folder: Where relative paths start.
        """
        with suppress(OSError):  # paths may all be absolute
            os.chdir(folder)
        torch.set_num_threads(threads)
        try:
            self.worker: Worker | LSegError = Worker(place, job.step(), versions)
        except LSegError as error:  # Ray would start the actor again and again
            self.worker = error

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        """Does pictures; a broken one is a row like the others, and so is what ends the run.

        Ray would wrap an error, and lose it.
        """
        found: dict[str, list[Any]] = {"entry": [], "kept": [], "end": []}
        try:
            if isinstance(self.worker, LSegError):
                raise self.worker
            for entry, kept in self._entries(self.worker, [*map(pickle.loads, batch["task"])]):
                found["entry"].append(entry.to_json())
                found["kept"].append(kept)
                found["end"].append(b"")
            self.worker.journal.flush()
        except LSegError as error:
            found["entry"].append("")
            found["kept"].append(False)
            found["end"].append(pickle.dumps(error))
        return found

    def _entries(self, worker: Worker, tasks: list[Task]) -> Iterator[tuple[Entry, bool]]:
        """Rows of the index, each with whether it was there already."""
        for task, read in read_ahead(tasks, lambda task: worker.read(*task)):
            kept = False
            try:
                loaded: Entry | Loaded = read()
                kept = isinstance(loaded, Entry)
                entry = worker.work(loaded)
            except BROKEN as error:
                entry = worker.fail(task.row, error)
            yield entry, kept


@dataclass(frozen=True)
class RayEngine:
    """Pictures go to whichever actor is free.

    Attributes:
        actors: How many; see `Share.of`.
        gpus: Whether actors take a GPU each where there are any.
    """

    actors: int | None = None
    gpus: bool = True

    def run(self, run: PictureRun) -> Outcome:
        """See `Engine`."""
        index = run.place.index
        run.clear_unfinished(run.rows)
        index.fold()
        with cluster():
            try:
                outcome = self._gather(run, self._results(run))
            finally:
                index.fold()
        run.clear_unfinished(run.rows)  # of actors that were killed
        return outcome

    def _gather(self, run: PictureRun, results: Iterator[tuple[Entry, bool]]) -> Outcome:
        failed = kept = 0
        with tqdm(total=len(run.rows), unit="image", disable=len(run.rows) < 2) as progress:
            for entry, was_there in results:
                kept += was_there
                if entry.error is None:
                    run.done(entry)
                else:
                    failed += 1
                    run.patience.bear(ImageError(entry.error), failed, len(run.rows))
                progress.update()
        return Outcome(failed, kept)

    def _results(self, run: PictureRun) -> Iterator[tuple[Entry, bool]]:
        """Rows of the index as actors send them, each with whether it was there already.

        Raises:
            LSegError: What an actor could not go on after.
        """
        resources = ray.cluster_resources()
        if not self.gpus:
            resources.pop("GPU", None)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = Share.of(resources, nodes, self.actors)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False  # there is one already
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        results = _blocks(run, share.actors).map_batches(
            PictureActor,
            batch_size=BATCH,
            compute=ray.data.ActorPoolStrategy(size=share.actors),
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            fn_constructor_kwargs={
                "job": run.job,
                "place": run.place,
                "versions": run.versions,
                "threads": share.threads,
                "folder": os.getcwd(),  # noqa: PTH109
            },
        )
        for block in results.iter_batches(batch_size=None, batch_format="pyarrow"):
            for row in cast("pa.Table", block).to_pylist():
                if row["end"]:
                    raise pickle.loads(row["end"])
                entry = Entry.from_json(row["entry"])
                assert entry is not None
                yield entry, row["kept"]


def _blocks(run: PictureRun, actors: int) -> ray.data.Dataset:
    """The pictures in blocks; pickled, for names of files need be no UTF-8."""
    known = run.place.index.known(row.name for row in run.rows)
    size = max(1, min(BATCH, math.ceil(len(run.rows) / (4 * actors))))
    tasks = (Task(row, known.get(row.name)) for row in run.rows)
    # Not from_arrow, which asks other processes about every table.
    return ray.data.from_items(
        [{"task": pickle.dumps(task)} for task in tasks],
        override_num_blocks=math.ceil(len(run.rows) / size),
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
                raise ConfigError(f"Ray cannot be had {where}: {error}") from error
