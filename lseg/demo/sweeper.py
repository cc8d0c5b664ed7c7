"""Work that is done every so often, though nobody comes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def regularly(seconds: float, *tasks: Callable[[], object]) -> Iterator[None]:
    """Does these tasks every `seconds`, in a thread of their own, while the block runs."""
    ended = Event()

    def work() -> None:
        while not ended.wait(seconds):
            for task in tasks:
                task()

    sweeper = Thread(target=work, name="sweeper", daemon=True)
    sweeper.start()
    try:
        yield
    finally:
        ended.set()
        sweeper.join()
