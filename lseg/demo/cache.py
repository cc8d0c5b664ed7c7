"""Encoded pictures in memory, shared by all users of a demo."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, Protocol, TypeVar


class MemorySized(Protocol):
    """Something that knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        ...


ItemT = TypeVar("ItemT", bound=MemorySized)


class SharedCache(Generic[ItemT]):
    """Items by the hash of what they were made from; the least recently used are dropped first.

    Threads that ask for the same item at the same time wait for the one that makes it. An item that
    is larger than the whole budget is made, but not kept.
    """

    def __init__(self, budget: int) -> None:
        """`budget` is the most that all items together may take, in bytes."""
        self.budget = budget
        self.nbytes = 0
        self._lock = Lock()
        self._kept: OrderedDict[str, ItemT] = OrderedDict()
        self._coming: dict[str, Future[ItemT]] = {}

    def __len__(self) -> int:
        """How many items are kept."""
        return len(self._kept)

    def get(self, key: str, make: Callable[[], ItemT]) -> ItemT:
        """The item of this key; `make` is called where it is not kept, by one thread only.

        An error of `make` is raised in every thread that waits for it, and is not remembered.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            coming = self._coming.get(key)
            if coming is None:
                mine = self._coming[key] = Future()
        if coming is not None:
            return coming.result()
        try:
            item = make()
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._coming[key]
            self._keep(key, item)
        mine.set_result(item)
        return item

    def _keep(self, key: str, item: ItemT) -> None:
        if item.nbytes > self.budget:
            return
        self._kept[key] = item
        self.nbytes += item.nbytes
        while self.nbytes > self.budget:
            _, dropped = self._kept.popitem(last=False)
            self.nbytes -= dropped.nbytes
