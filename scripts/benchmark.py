"""Speed and memory of this implementation beside the published formula and Hugging Face's DPT.

    python scripts/benchmark.py [--cases network head labels ...] [--out DIR]

Networks have random weights. What is compared runs in turns, so that a busy machine slows all of it
alike; quote the ratios. Memory is the peak above the weights, of a fresh process for each figure.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from benchmark_cases import CASES, PROBES
from benchmark_machine import peak_above_weights, product_peak
from benchmark_networks import Settings
from benchmark_training import PRECISIONS

Row = dict[str, Any]

DEFAULT_CASES = [case for case in CASES if case != "throughput" or torch.cuda.is_available()]


def interleaved(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each call, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            _wait()
            start = time.perf_counter()
            call()
            _wait()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(case: str, settings: Settings) -> list[Row]:
    """Rows of a case: seconds, and how many times faster than the row it names as its base."""
    contenders = CASES[case](settings)
    medians = interleaved({c.name: c.call for c in contenders}, settings.rounds)
    rows = []
    for contender in contenders:
        row: Row = {"case": case, "what": contender.name, "seconds": medians[contender.name]}
        if contender.base is not None:
            row["against"] = contender.base
            row["times faster"] = medians[contender.base] / medians[contender.name]
        if contender.flops is not None:
            peak = product_peak(contender.precision, settings.device)
            row["TFLOP/s"] = contender.flops / medians[contender.name] / 1e12
            row["share of the peak"] = row["TFLOP/s"] / peak
        if contender.images is not None:
            row["images/s"] = contender.images / medians[contender.name]
        if contender.images is not None and settings.device == "cuda":
            row["MB above the weights"] = peak_above_weights(contender.call, settings.device)
        rows.append(row)
    return rows


def probed(case: str, settings: Settings, arguments: list[str]) -> list[Row]:
    """Memory rows of a case, each from a process of its own; a GPU's are counted exactly in one."""
    rows = []
    for name, prepare in PROBES.get(case, {}).items():
        if settings.device == "cuda":
            megabytes = peak_above_weights(prepare(settings), settings.device)
        else:
            command = [sys.executable, __file__, *arguments, "--probe", case, name]
            found = subprocess.run(command, check=True, capture_output=True, text=True)
            megabytes = float(found.stdout.strip().splitlines()[-1])
        rows.append({"case": f"{case}, memory", "what": name, "MB above the weights": megabytes})
    return rows


def markdown(rows: list[Row]) -> str:
    """One table for each case."""
    lines: list[str] = []
    for case in dict.fromkeys(row["case"] for row in rows):
        chosen = [row for row in rows if row["case"] == case]
        columns = list(dict.fromkeys(key for row in chosen for key in row if key != "case"))
        lines += [
            f"\n**{case}**\n",
            "| " + " | ".join(columns) + " |",
            "| --- " * len(columns) + "|",
        ]
        for row in chosen:
            lines.append("| " + " | ".join(_cell(row.get(column)) for column in columns) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Runs the cases and prints (with `--out`, writes) a Markdown table and the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--cases", nargs="+", default=DEFAULT_CASES, choices=list(CASES))
    parser.add_argument("--preset", default="vitl16")
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16, help="pictures at a time, for throughput")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--probe", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    settings = Settings(options.preset, options.size, options.rounds, options.device, options.batch)
    if options.probe:
        case, name = options.probe
        print(peak_above_weights(PROBES[case][name](settings), settings.device))
        return
    arguments = ["--preset", options.preset, "--size", str(options.size)]
    arguments += ["--threads", str(options.threads), "--device", options.device]
    rows: list[Row] = []
    for precision in PRECISIONS if options.device == "cuda" else ("fp32", "bf16"):
        peak = product_peak(precision, settings.device)
        rows.append({"case": "machine", "what": f"matrix product, {precision}", "TFLOP/s": peak})
    for case in options.cases:
        found = timed(case, settings) + probed(case, settings, arguments)
        print(markdown(found), flush=True)
        rows += found
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "benchmark.md").write_text(markdown(rows) + "\n", "utf-8")
        (options.out / "benchmark.json").write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
