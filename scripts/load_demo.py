"""A demo under load: many visitors at once, on this machine only, and whether all goes well.

    python scripts/load_demo.py [--seconds 600] [--clients 50] [--checkpoint tiny]

Starts `lseg demo` and lets visitors ask, teach, leave in the middle and send garbage. It ends with
1 if an answer is wrong, if one visitor's examples are in another's answer, if something is left of
a broken upload, or if the server's memory goes on growing after a third of the time. (Memory is
read from /proc, so Linux only.)
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from load_questions import Question, make_questions
from load_visitors import Record, Visitor

import lseg

PICTURES = 14
CACHE = 16  # MB: too little for all pictures, so that some are forgotten and made again
GROWTH = 0.1  # of the memory after a third of the time, which may come on top
PERCENTILES = (50, 90, 99)


def memory_of(process: int) -> float:
    """MB that a process holds."""
    status = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


async def watch(process: int, end: float, samples: list[float]) -> None:
    """Memory, every second."""
    while time.monotonic() < end:
        samples.append(memory_of(process))
        await asyncio.sleep(1)


async def load(
    url: str, process: int, questions: list[Question], clients: int, seconds: float
) -> tuple[Record, list[float]]:
    """What the visitors saw, and the server's memory."""
    record, samples, end = Record(), [], time.monotonic() + seconds
    visitors = [Visitor(url, questions, record, seed) for seed in range(clients)]
    await asyncio.gather(watch(process, end, samples), *(each.run(end) for each in visitors))
    return record, samples


def report(record: Record, samples: list[float], left: list[Path], log: str) -> bool:
    """Prints what came of it; whether all went well."""
    for deed, seconds in sorted(record.seconds.items()):
        cuts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
        shown = ", ".join(f"p{each} {cuts[each - 1]:.2f}" for each in PERCENTILES)
        print(f"{deed:>12}: {len(seconds)} times, seconds {shown}, max {max(seconds):.2f}")
    print(f" turned away: {record.counts['turned away']} times")
    third = max(1, len(samples) // 3)
    before, after = (
        statistics.median(part) for part in (samples[third : 2 * third], samples[-third:])
    )
    print(f"      memory: {before:.0f} MB in the second third, {after:.0f} MB in the last")
    faults = [f"WRONG {line}" for line in record.wrong]
    if after > (1 + GROWTH) * before:
        faults.append("the memory grows")
    if left:
        faults.append(f"{len(left)} parts of uploads are left")
    if "Traceback" in log:
        faults.append(f"a traceback in the log:\n{log[log.index('Traceback') :][:2000]}")
    if not record.counts["ask"] or not record.counts["teach"]:
        faults.append("nobody was answered")
    print("\n".join(faults) or "no wrong answer, no cross-talk, no traceback, nothing left")
    return not faults


def main() -> int:
    """Runs it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--checkpoint", default="tiny", help="one whose labels are shapes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        questions = make_questions(lseg.load_model(options.checkpoint), folder, PICTURES)
        log = folder / "log.txt"
        command = [sys.executable, "-m", "lseg", "demo", "--checkpoint", options.checkpoint]
        with log.open("w") as errors:
            server = subprocess.Popen(
                [*command, "--cache", str(CACHE)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "TMPDIR": name},
            )
        try:
            assert server.stdout
            line = server.stdout.readline()
            (url,) = re.findall(r"http://\S+", line)
            print(f"{options.clients} visitors for {options.seconds:g} s at {url}", flush=True)
            record, samples = asyncio.run(
                load(url, server.pid, questions, options.clients, options.seconds)
            )
            time.sleep(2)  # those who left are noticed
            left = list(folder.glob("lseg-demo-*/tmp*"))
        finally:
            server.terminate()
            server.wait(60)
        return 0 if report(record, samples, left, log.read_text()) else 1


if __name__ == "__main__":
    sys.exit(main())
