"""Finishing what is done, while the network is busy with the next picture."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

ResultT = TypeVar("ResultT")


class Behind(Generic[ResultT]):
    """Tasks that one thread does in their order, at most one behind; the counterpart of `prefetch`.

    As a context it ends when all are done, also after an error: what had been begun is finished.
    """

    def __init__(self, done: Callable[[ResultT], None]) -> None:
        """Takes what is called with each result, in the caller's thread and in order."""
        self._done = done
        self._pending: deque[Future[ResultT]] = deque()
        self._pool = ThreadPoolExecutor(1, "behind")

    def add(self, task: Callable[[], ResultT]) -> None:
        """Has a task done, and waits for the one before it, whose error is raised here."""
        self._pending.append(self._pool.submit(task))
        while len(self._pending) > 1:
            self._collect()

    def _collect(self) -> None:
        self._done(self._pending.popleft().result())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits for the last; of two errors the first one is raised."""
        try:
            while self._pending:
                self._collect()
        except Exception:
            if error is None:
                raise
        finally:
            self._pool.shutdown()
