"""A disk that takes no more, as a limit on the size of files."""

import resource
from contextlib import contextmanager


@contextmanager
def room_for(size):
    """Files of this process may have so many bytes: writing more fails, as on a full disk.

    Shared memory counts as well, so that worker processes could hand nothing over.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
