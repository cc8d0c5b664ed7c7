"""Running a job in several processes, through Lightning Fabric."""

import os
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from lightning_fabric import Fabric
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from lseg.commands.model import device_from
from lseg.errors import ConfigError, LSegError
from lseg.inference.sharding import leave_group

ResultT = TypeVar("ResultT", covariant=True)


class Job(Protocol[ResultT]):
    """What every process runs; picklable."""

    def __call__(self, fabric: Fabric) -> ResultT:
        """Runs in one of `fabric.world_size` processes."""
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
    kind = device_from(device)
    external = "TORCHELASTIC_RUN_ID" in os.environ
    if not external and devices == 1:
        fabric = Fabric(accelerator=kind.type, devices=[kind.index] if kind.index else 1)
        return job(fabric)
    if external:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // local
        fabric = _fabric(
            lambda: Fabric(accelerator=kind.type, strategy="ddp", devices=local, num_nodes=nodes)
        )
        fabric.launch()
        result = _in_group(job, fabric)
        return result if fabric.is_global_zero else None
    fabric = _fabric(lambda: Fabric(accelerator=kind.type, strategy="ddp_spawn", devices=devices))
    try:
        return fabric.launch(partial(_in_group, job))
    except (ProcessRaisedException, ProcessExitedException) as error:
        raise _from_process(error) from error


def _in_group(job: Job[ResultT], fabric: Fabric) -> ResultT:
    result = job(fabric)
    leave_group()
    return result


def _fabric(make: Callable[[], Fabric]) -> Fabric:
    try:
        return make()
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"no such devices here: {error}") from error


def _from_process(error: Exception) -> Exception:
    """The error that a user can mend, if that is what a process stopped for."""
    last = str(error).strip().splitlines()[-1]
    if not last.startswith("lseg.errors."):
        return error
    return LSegError(last.partition(": ")[2])
