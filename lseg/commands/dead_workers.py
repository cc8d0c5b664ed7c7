"""What to say when a process that reads pictures ahead is no longer there."""

import re

_DEATH = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is killed by signal: (?P<signal>[^.]+)|exited)"
)


def dead_worker(error: RuntimeError) -> str | None:
    """The death of a worker process in a line; None for an error of another kind.

    PyTorch has no class for it: it may be raised wherever training just is.
    """
    found = _DEATH.search(str(error)) or _DEATH.search(str(error.__cause__))
    if found is None:
        return None
    by = f" ({found['signal']})" if found["signal"] else ""
    return (
        f"a worker process that reads pictures died{by}, most likely for want of memory: give "
        "fewer workers (data.init_args.workers, --workers); `lseg fit --resume auto` goes on from "
        "the last checkpoint"
    )
