"""Running a job in several processes, those of torchrun or our own, each on a device of its own."""

import os
import pickle
import tempfile
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar, cast

import torch
from torch import multiprocessing
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from lseg.commands.model import device_from
from lseg.errors import ConfigError, LSegError
from lseg.inference.sharding import Shard, local_index, process_group

ResultT = TypeVar("ResultT", covariant=True)


class Place(NamedTuple):
    """Where one of several processes works.

    Attributes:
        shard: Which share of the work is its own.
        device: Where it computes.
    """

    shard: Shard
    device: torch.device


class Job(Protocol[ResultT]):
    """What every process runs; picklable."""

    def __call__(self, place: Place) -> ResultT:
        """Runs in one of `place.shard.world` processes."""
        ...


def run_on_devices(job: Job[ResultT], devices: int, device: str) -> ResultT | None:
    """Runs a job in `devices` processes, or in those that torchrun has started.

    Args:
        job: What to run.
        devices: Number of processes; each has a GPU of its own, where there are any.
        device: Name of the device, as on the command line.

    Returns:
        What the first process returns; None in the other processes of torchrun.

    Raises:
        ConfigError: If there are fewer devices than asked for.
    """
    shard = Shard.of_process()
    if shard.world > 1:
        with process_group(shard):
            result = job(Place(shard, _own_device(device)))
        return result if shard.first else None
    if devices == 1:
        return job(Place(shard, device_from(device)))
    kind = device_from(device).type
    if kind != "cpu" and devices > (count := torch.accelerator.device_count()):
        raise ConfigError(f"--devices {devices}: there are {count} of the kind {kind} here")
    with tempfile.TemporaryDirectory() as folder:
        try:
            multiprocessing.spawn(_process, (job, devices, device, Path(folder)), devices)
        except (ProcessRaisedException, ProcessExitedException) as error:
            raise _from_process(error) from error
        return cast("ResultT", pickle.loads(_result_file(Path(folder)).read_bytes()))


def _process(rank: int, job: Job[ResultT], world: int, device: str, folder: Path) -> None:
    """Runs a job in one of `world` processes; the first one's result is left in the folder."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    found = _own_device(device)
    if found.type == "cpu":  # they share its cores
        torch.set_num_threads(max(1, torch.get_num_threads() // world))
    shard = Shard.of_process()
    with process_group(shard, meeting=(folder / "meeting").as_uri()):
        result = job(Place(shard, found))
    if shard.first:
        _result_file(folder).write_bytes(pickle.dumps(result))


def _own_device(name: str) -> torch.device:
    """The device that a name means in this process: of several accelerators, its own."""
    found = device_from(name)
    if found.type == "cpu" or found.index is not None:
        return found
    return torch.device(found.type, local_index())


def _result_file(folder: Path) -> Path:
    return folder / "result"


def _from_process(error: Exception) -> Exception:
    """The error that a user can mend, if that is what a process stopped for."""
    _, name, text = str(error).rstrip().rpartition("\nlseg.errors.")
    return LSegError(text.partition(": ")[2]) if name else error
