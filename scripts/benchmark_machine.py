"""What `benchmark.py` measures besides time: memory, and the rate of the machine itself."""

import functools
import time
from collections.abc import Callable
from pathlib import Path

import torch


def peak_above_weights(call: Callable[[], object], device: str) -> float:
    """Megabytes that a call needs at its peak beyond what the process had before it."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    call()
    return (_status("VmHWM") - before) / 1e6


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * float(next(line for line in lines if line.startswith(key)).split()[1])


@functools.cache
def product_peak(dtype: torch.dtype, device: str) -> float:
    """The best rate of a large square matrix product, TFLOP/s."""
    side = 8192 if device == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        (a @ b)[0, 0].item()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best / 1e12
