"""Items of a data set on their way to the network, and what it counts on the way back."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from torch import Tensor
from torch.utils.data import DataLoader

from lseg.inference.prefetch import prefetch

ItemT = TypeVar("ItemT", covariant=True)

WAIT = 0.5
"""Seconds between two times that a device is waited for."""


class Items(Protocol[ItemT]):
    """Items by number."""

    def __getitem__(self, key: int) -> ItemT:
        """Reads one."""
        ...


def read(data: Items[ItemT], numbers: Sequence[int], workers: int, pin: bool) -> Iterator[ItemT]:
    """Items in the order of their numbers, read while the network is busy with earlier ones.

    Args:
        data: Where they are.
        numbers: Which.
        workers: Processes that read them; without any it is a thread.
        pin: Processes put tensors into pinned memory, from where CUDA copies in the background.
    """
    if workers == 0:
        yield from (item for _, item in prefetch(numbers, data.__getitem__, ahead=1))
        return
    yield from DataLoader(
        data,  # type: ignore[arg-type]
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        pin_memory=pin,
    )


def on_host(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """Tensors of a device in the processor's memory; it is not waited for at each of them."""
    held: list[Tensor] = []
    due = time.monotonic() + WAIT
    for tensor in tensors:
        held.append(tensor)
        if time.monotonic() >= due:
            yield from (one.cpu() for one in held)
            held, due = [], time.monotonic() + WAIT
    yield from (one.cpu() for one in held)
