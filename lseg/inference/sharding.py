"""Several processes, on one machine or many, that share the pictures of a run (torchrun)."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import Tensor, distributed

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Which share of the work is this process's.

    Attributes:
        rank: From 0; process 0 does what is to be done once.
        world: Number of processes.
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def of_process(cls) -> "Shard":
        """As torchrun says in the environment; all the work, if nobody does."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    def take(self, items: Sequence[T]) -> Sequence[T]:
        """This process's items: every `world`-th."""
        return items[self.rank :: self.world]

    @property
    def first(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0


ONE_PROCESS = Shard()


@contextmanager
def process_group(shard: Shard, needed: bool = True, meeting: str = "env://") -> Iterator[None]:
    """A process group (gloo) for the block, where there is more than one process and none yet.

    One that is not `needed` is left out where the processes have been given no place to meet
    (`MASTER_ADDR`): a share can be done without the others.

    Args:
        shard: This process's.
        needed: See above.
        meeting: Where the processes meet, as `torch.distributed` names it.
    """
    wanted = needed or "MASTER_ADDR" in os.environ
    if shard.world == 1 or not wanted or distributed.is_initialized():
        yield
        return
    distributed.init_process_group(
        "gloo",
        meeting,
        rank=shard.rank,
        world_size=shard.world,
        timeout=timedelta(days=7),  # the last may be slow
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def leave_group() -> None:
    """Ends the process group that Lightning has begun, which itself ends only those of NCCL.

    To be called when the work is done: one of gloo's threads that lets go of a tensor while the
    interpreter shuts down aborts the process ("terminate called without an active exception").
    After an error the others are left to notice by themselves, so that the first error is told.
    """
    if distributed.is_initialized():
        distributed.destroy_process_group()


def together(shard: Shard) -> bool:
    """Whether this process is alone, or in a group with the others, so that all can wait."""
    return shard.world == 1 or distributed.is_initialized()


def wait_for_all() -> None:
    """Returns when every process of the group has come here."""
    if distributed.is_initialized():
        distributed.barrier()


def broadcast(tensors: Iterable[Tensor]) -> None:
    """Replaces the values of tensors by those of process 0."""
    if distributed.is_initialized():
        for values in tensors:
            distributed.broadcast(values.detach(), 0)


def sum_over_processes(values: Tensor) -> None:
    """Replaces a CPU tensor by its sum over the processes."""
    if distributed.is_initialized():
        distributed.all_reduce(values)


def gathered(value: T) -> list[T]:
    """The values of all processes of the group by rank, in each of them; picklable."""
    if not distributed.is_initialized():
        return [value]
    found: list[T | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, value)
    return cast("list[T]", found)


def sum_of_all(count: int) -> int:
    """A count added up over the processes of the group; every process must ask for it."""
    values = torch.tensor([count])
    sum_over_processes(values)
    return int(values)


def local_index() -> int:
    """Which of its machine's accelerators a process takes."""
    count = torch.accelerator.device_count()
    return int(os.environ.get("LOCAL_RANK", "0")) % max(1, count)
