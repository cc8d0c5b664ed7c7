"""Engines side by side: equal files, also after kills and losses; what a picture costs on each.

    python scripts/measure_engines.py --pictures 2000 --repeats 1 --work FOLDER

Draws small pictures, one in a hundred of them cut off, and runs `lseg embed` with the embedded
model `tiny` over them: by the plain loop, by torchrun with two processes, by Ray with two actors.
Then it kills an actor, a process of torchrun and drivers, deletes half of the files, and runs the
same command again. Every finding is a line, and a difference ends the script.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

ENGINES = ("local", "torchrun", "ray")
INDEX = "embed.index.jsonl"
BROKEN_EVERY = 100


def draw_pictures(folder: Path, count: int) -> None:
    """Pictures of 40 x 56; every hundredth one is cut off."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number:05}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (5, 7, 3), np.uint8)
        Image.fromarray(pixels.repeat(8, 0).repeat(8, 1)).save(path)
        if number % BROKEN_EVERY == BROKEN_EVERY // 2:
            path.write_bytes(path.read_bytes()[:80])


def start(engine: str, pictures: Path, out: Path) -> subprocess.Popen[bytes]:
    """Starts `lseg embed`; its output is kept beside the folder of the results."""
    options = ["embed", pictures, "--checkpoint", "tiny", "--size", "32", "--out", out]
    launch = [sys.executable, "-m"]
    if engine == "torchrun":
        launch += ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    if engine == "ray":
        options += ["--engine", "ray", "--actors", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with out.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [*launch, "lseg", *map(str, options)],
            stdout=log, stderr=log, env=environment, start_new_session=True,
        )  # fmt: skip


def finish(engine: str, pictures: Path, out: Path) -> float:
    """Runs to the end; seconds that it took."""
    begun = time.perf_counter()
    start(engine, pictures, out).wait()
    return time.perf_counter() - begun


def contents(out: Path) -> dict[str, str]:
    """SHA-256 of all results, by name."""
    files = (path for path in out.iterdir() if path.suffix in (".npy", ".json"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def times(out: Path) -> dict[str, int]:
    """When each file of embeddings was written that has its sidecar, by name."""
    whole = (path for path in out.glob("*.npy") if path.with_suffix(".json").exists())
    return {path.name: path.stat().st_mtime_ns for path in whole}


def check(out: Path, wanted: dict[str, str], broken: set[str]) -> None:
    """Ends the script if results or index are not what they should be."""
    assert contents(out) == wanted, f"{out}: other files"
    assert not list(out.glob(".*")), f"{out}: hidden files are left"
    rows = [json.loads(line) for line in (out / INDEX).read_text().splitlines()]
    errors = [row["id"] for row in rows if row["error"]]
    assert sorted(errors) == sorted(broken), f"{out}: other errors"
    told = {file["name"]: file["sha256"] for row in rows for file in row["files"]}
    assert told == wanted, f"{out}: the index tells other hashes"


def children(process: subprocess.Popen[bytes], name: str) -> list[psutil.Process]:
    """Processes below one, with a text in their title or command line."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            title = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if name in title:
            found.append(child)
    return found


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kills a driver, and waits until all that it had started is gone."""
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(below, timeout=60)
    for child in alive:
        child.kill()
    psutil.wait_procs(alive, timeout=30)


def wait_for(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Returns when so many results are there, or the process has ended."""
    while process.poll() is None and (not out.is_dir() or len(list(out.glob("*.npy"))) < count):
        time.sleep(0.02)


def killed(engine: str, victim: str, pictures: Path, out: Path, after: int) -> str:
    """Kills a worker or the driver after some pictures; what is to be said of it."""
    process = start(engine, pictures, out)
    wait_for(out, after, process)
    if victim == "driver":
        kill_all(process)
    else:
        found = children(process, "MapWorker" if engine == "ray" else "lseg embed")
        if engine == "torchrun":
            found = [child for child in found if "distributed.run" not in " ".join(child.cmdline())]
        found[-1].kill()
        process.wait()
    visible = [
        path.name for path in out.iterdir() if "partial" in path.name[1:] and path.name[0] != "."
    ]
    assert not visible, visible
    return f"{victim} of {engine} killed after {after}: {len(list(out.glob('*.npy')))} were there"


def rerun(engine: str, pictures: Path, out: Path) -> str:
    """Runs again; how many finished pictures were done twice."""
    before = times(out)
    finish(engine, pictures, out)
    after = times(out)
    again = sum(after.get(name) != when for name, when in before.items())
    return f"run again: {again} of {len(before)} done twice"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args(arguments)
    pictures = options.work / "pictures"
    draw_pictures(pictures, options.pictures)
    numbers = range(BROKEN_EVERY // 2, options.pictures, BROKEN_EVERY)
    broken = {f"{number:05}" for number in numbers}
    wanted: dict[str, str] = {}
    for engine in ENGINES:
        out = options.work / f"out_{engine}"
        seconds = finish(engine, pictures, out)
        wanted = wanted or contents(out)
        check(out, wanted, broken)
        print(f"{engine}: {len(wanted)} equal files, {seconds:.1f} s", flush=True)
    chance = random.Random(0)
    cases = [("ray", "actor"), ("ray", "driver"), ("torchrun", "worker"), ("local", "driver")]
    for _ in range(options.repeats):
        for engine, victim in cases:
            out = options.work / f"killed_{engine}_{victim}"
            shutil.rmtree(out, ignore_errors=True)
            after = chance.randrange(1, max(2, options.pictures // 2))
            print(killed(engine, victim, pictures, out, after), flush=True)
            print("  " + rerun(engine, pictures, out), flush=True)
            check(out, wanted, broken)
            for name in chance.sample(sorted(wanted), len(wanted) // 2):
                (out / name).unlink()
            print("  half deleted, " + rerun(engine, pictures, out), flush=True)
            check(out, wanted, broken)
    print("all equal")


if __name__ == "__main__":
    main()
