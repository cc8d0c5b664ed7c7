"""A bound on what a configuration may ask to be built."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch.nn.modules.module import register_module_module_registration_hook

from lseg.errors import ConfigError

_LEAST = 1000


@contextmanager
def bounded_modules(most: int) -> Iterator[None]:
    """Stops this thread from building more than `most` modules, and at least a thousand.

    Even without memory for weights a network of a million blocks takes hours to build.

    Raises:
        ConfigError: Where one module more is put into another.
    """
    thread, built = threading.get_ident(), 0
    most = max(_LEAST, most)

    def count(*_: object) -> None:
        nonlocal built
        if threading.get_ident() == thread:
            built += 1
            if built > most:
                raise ConfigError(
                    f"it asks for more than {most} parts, for which there are no weights"
                )

    hook = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()
