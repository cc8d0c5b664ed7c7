"""Commands whose start-up `benchmark.py` times."""

import contextlib
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

COMMAND = [sys.executable, "-m", "lseg"]


def show_help() -> None:
    """`lseg --help` from start to end."""
    subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)


def open_demo() -> None:
    """`lseg demo` until its page answers.

    Raises:
        RuntimeError: If it ends before that.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    demo = subprocess.Popen([*COMMAND, "demo", "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        while demo.poll() is None:
            with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/"):
                return
            time.sleep(0.05)
        raise RuntimeError(f"lseg demo ended with exit code {demo.returncode}")
    finally:
        demo.terminate()
        demo.wait()
