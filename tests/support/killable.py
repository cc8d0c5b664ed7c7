"""Commands in processes of their own, which may be killed: forked from one that has all imported.

A cold start takes seconds; ten of them would be most of the time of a test.
"""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import torch

from lseg.cli import main
from lseg.files import save_torch

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["killable", "lseg.training.cli", "lseg.commands.predict"])

PATIENCE = 240  # seconds, on a machine that is busy with other things


class Command:
    """`lseg` with these arguments, running."""

    def __init__(self, arguments, out, prepare=None):
        """Starts it; `prepare` is called in the process before, `out` takes what it prints."""
        self.out = Path(out)
        words = [str(word) for word in arguments]
        self.process = _CONTEXT.Process(target=_run, args=(words, str(out), prepare))
        self.process.start()

    def kill(self, number=signal.SIGKILL):
        """Sends a signal, and waits for the end."""
        os.kill(self.process.pid, number)
        return self.wait()

    def stop(self):
        """Puts it to sleep, for good: only a kill ends it."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def wait(self):
        """The exit code; of a killed process the negative number of the signal."""
        self.process.join(PATIENCE)
        assert not self.process.is_alive(), "it does not end"
        return self.process.exitcode

    def wait_until(self, condition):
        """Waits until something is so; False if the process has ended before."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if condition():
                return True
            if not self.process.is_alive():
                return False
            time.sleep(0.002)
        raise AssertionError("it never is so")

    @property
    def printed(self):
        """All that it has printed, lines of both streams."""
        return self.out.read_text("utf-8", "replace")


def _run(arguments, out, prepare):
    torch.set_num_threads(1)
    # It is ignored by whatever a shell starts in the background, tests among it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method("fork", force=True)  # of workers, as in a command of a shell
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if prepare is not None:
        prepare()
    code = main(arguments)
    sys.stdout.flush()
    os._exit(code)


def die_in_the_second_checkpoint():
    """Kills the process when half of its second checkpoint is on the disk."""
    import lseg.store.lightning as module

    written = []

    def save(value, path):
        save_torch(value, path)
        written.append(path)
        if len(written) == 2:
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

    module.save_torch = save
