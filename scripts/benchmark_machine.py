"""What `benchmark.py` measures besides time: memory, and the rate of the machine itself."""

import functools
import time
from collections.abc import Callable
from pathlib import Path

import torch

from lseg.models.acceleration import TrainingPrecision, round_float32


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


PRODUCTS = {
    "cpu": ((1024, 1024, 1024), (2048, 2048, 2048), (900, 1024, 4096), (8192, 1024, 1024)),
    "cuda": ((8192, 8192, 8192),),
}
"""Sizes (m, k, n) of matrix products: square ones and those of a ViT."""


@functools.cache
def product_peak(precision: TrainingPrecision, device: str) -> float:
    """The best rate of a large matrix product of any of the sizes, TFLOP/s.

    Into memory that is there already, so that it is the rate of the products alone.
    """
    round_float32(precision == "tf32")
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    return max(_product_rate(dtype, device, *size) for size in PRODUCTS[device])


def _product_rate(dtype: torch.dtype, device: str, m: int, k: int, n: int) -> float:
    a, b = (torch.randn(*size, device=device).to(dtype) for size in ((m, k), (k, n)))
    result = torch.empty(m, n, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(12):
        start = time.perf_counter()
        torch.mm(a, b, out=result)
        result[0, 0].item()  # waits for a GPU
        best = min(best, time.perf_counter() - start)
    return 2 * m * k * n / best / 1e12
