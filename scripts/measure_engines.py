"""Engines side by side: equal files, memory, kills and losses, and what a picture costs.

    python scripts/measure_engines.py equal --pictures 2000 --work FOLDER
    python scripts/measure_engines.py kills --pictures 2000 --repeats 10 --work FOLDER
    python scripts/measure_engines.py loop --pictures 4 --repeats 5 --work FOLDER
    python scripts/measure_engines.py ray --pictures 24 --repeats 2 --work FOLDER

`equal` draws small pictures, one in a hundred of them cut off, and runs `lseg embed` with the
embedded model `tiny` over a twentieth and over all of them: by the plain loop, by torchrun with two
processes, by Ray with two actors. It tells the largest memory of each kind of process. `kills`
also kills an actor, a process of torchrun and drivers while they work, runs the same command again,
deletes half of the files, and runs it once more. A difference ends the script.

The others tell what a picture of 480 x 480 costs with ViT-B/16 at random weights, on one thread:
`loop` compares the plain loop with a bare one (decode, network, `np.save`), in turns in one
process; `ray` compares one actor of Ray with the plain loop, each in its own process. On a machine
that others use, trust the processors' seconds.
"""

import argparse
import hashlib
import json
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from engine_runs import Run, preload, ray_cluster
from PIL import Image

if TYPE_CHECKING:
    import psutil

    from lseg.inference.segmenter import Segmenter
    from lseg.pipeline.step import Step

ENGINES = ("local", "torchrun", "ray")
INDEX = "embed.index.jsonl"
BROKEN_EVERY = 100
CASES = ("local driver", "torchrun worker", "ray actor", "ray driver")


def draw_pictures(folder: Path, count: int) -> set[str]:
    """Pictures of 40 x 56; every hundredth one is cut off.

    Returns:
        The names of those.
    """
    folder.mkdir(parents=True, exist_ok=True)
    broken = set()
    for number in range(count):
        path = folder / f"{number:05}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (5, 7, 3), np.uint8)
        Image.fromarray(pixels.repeat(8, 0).repeat(8, 1)).save(path)
        if number % BROKEN_EVERY == BROKEN_EVERY // 2:
            path.write_bytes(path.read_bytes()[:80])
            broken.add(path.stem)
    return broken


def start(engine: str, pictures: Path, out: Path, cluster: "psutil.Process | None" = None) -> Run:
    """A run with a network that costs next to nothing; Ray on a cluster that may be there."""
    words = ["embed", pictures, "--checkpoint", "tiny", "--size", "32"]
    return Run(engine, words, out, cluster=cluster if engine == "ray" else None)


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


def compare_engines(work: Path, count: int) -> None:
    """All engines over all pictures, which must give the same."""
    pictures = work / f"pictures_{count}"
    broken, wanted = draw_pictures(pictures, count), {}
    for engine in ENGINES:
        out = work / f"equal_{engine}_{count}"
        shutil.rmtree(out, ignore_errors=True)
        begun = time.perf_counter()
        used = start(engine, pictures, out).wait()
        seconds = time.perf_counter() - begun
        wanted = wanted or contents(out)
        check(out, wanted, broken)
        resident = ", ".join(f"{kind} {size:.0f} MB" for kind, size in used.resident.items())
        print(f"{engine}: {len(wanted)} equal files, {seconds:.0f} s, {resident}", flush=True)


def kill(run: Run, victim: str, after: int) -> None:
    """Kills a worker or the driver after some pictures; the others go on as they would."""
    run.wait(after)
    if victim == "driver":
        run.kill()
    else:
        run.workers()[-1].kill()
        run.wait()
    partial = [path.name for path in run.out.iterdir() if ".partial" in path.name]
    assert all(name.startswith(".") for name in partial), partial


def survive(work: Path, case: str, count: int, repeats: int, cluster: "psutil.Process") -> None:
    """Kills, losses and the same command again, so many times."""
    engine, victim = case.split()
    pictures, out = work / f"pictures_{count}", work / f"killed_{engine}_{victim}"
    broken = draw_pictures(pictures, count)
    shutil.rmtree(out, ignore_errors=True)
    start("local", pictures, out).wait()
    wanted, chance = contents(out), random.Random(0)
    for _ in range(repeats):
        shutil.rmtree(out)
        after = chance.randrange(1, count // 2)
        kill(start(engine, pictures, out, cluster), victim, after)
        told = [f"{case} killed after {after}"]
        for lost in (0, len(wanted) // 2):
            for name in chance.sample(sorted(wanted), lost):
                (out / name).unlink()
            before = times(out)
            start(engine, pictures, out, cluster).wait()
            check(out, wanted, broken)
            now = times(out)
            again = sum(now[name] != when for name, when in before.items())
            told.append(f"{len(before)} whole, {again} of them done again")
        print("; ".join(told), flush=True)


def random_model(work: Path) -> Path:
    """A folder with ViT-B/16 at random weights."""
    import torch

    from lseg.config import LSegConfig
    from lseg.models.lseg import LSeg

    torch.manual_seed(0)
    LSeg(LSegConfig.preset("vitb16")).save_pretrained(work / "vitb16")
    return work / "vitb16"


def bare_loop(segmenter: "Segmenter", pictures: Sequence[Path], out: Path) -> None:
    """What anybody would write."""
    for path in pictures:
        np.save(out / f"{path.stem}.npy", segmenter.embed(path))


def plain_loop(step: "Step", pictures: Sequence[Path], out: Path) -> None:
    """The same on the engine `local`."""
    from lseg.evaluation.report import versions
    from lseg.inference.sharding import Shard
    from lseg.pipeline.local import LocalEngine
    from lseg.pipeline.loop import Patience
    from lseg.pipeline.rows import Row
    from lseg.pipeline.run import PictureRun
    from lseg.pipeline.worker import Place

    rows, endings = [Row.of(path) for path in pictures], step.writer.endings
    place = Place(out, "embed", resume=False)
    run = PictureRun(rows, place, None, endings, Patience(), versions(), lambda entry: None)
    LocalEngine(step, Shard()).run(run)


def cost_of_loop(work: Path, model: Path, pictures: Sequence[Path], repeats: int) -> None:
    """The bare loop and the plain one in turns, in one process."""
    import torch

    from lseg.commands.embed import preset_from
    from lseg.commands.embed_job import EmbedJob
    from lseg.commands.options.embed import EmbedOptions
    from lseg.embedding.picture_files import DenseFiles
    from lseg.inference.segmenter import Segmenter

    torch.set_num_threads(1)
    out = work / "loops"
    out.mkdir(exist_ok=True)
    options = EmbedOptions(images=[], checkpoint=str(model), out=out)
    job = EmbedJob(options, preset_from(options), DenseFiles(".npy"), out, None)
    step, segmenter = job.step(), Segmenter.from_pretrained(model)
    loops = {
        "bare": lambda: bare_loop(segmenter, pictures, out),
        "plain": lambda: plain_loop(step, pictures, out),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for turn in range(repeats + 1):
        for name in sorted(loops, reverse=bool(turn % 2)):
            wall, cpu = time.perf_counter(), time.process_time()
            loops[name]()
            if turn:  # the first one warms up
                found[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    for kind, what in enumerate(("s", "processors' s")):
        bare, plain = ([each[kind] / len(pictures) for each in found[name]] for name in loops)
        ratios = [b / a - 1 for a, b in zip(bare, plain, strict=True)]
        print(
            f"a picture: bare {median(bare):.3f} {what}, plain loop {median(plain):.3f} {what}, "
            f"{100 * median(ratios):+.1f} % ({100 * min(ratios):+.1f} to {100 * max(ratios):+.1f})"
        )


def cost_of_ray(work: Path, model: Path, pictures: Path, repeats: int) -> None:
    """The plain loop and one actor of Ray, between their second picture and the last."""
    count = len(list(pictures.iterdir()))
    found: dict[str, list[float]] = {"local": [], "ray": []}
    with ray_cluster(work / "cluster.log") as cluster:
        for _ in range(repeats):
            for engine, values in found.items():
                out = work / f"cost_{engine}"
                shutil.rmtree(out, ignore_errors=True)
                words = ["embed", pictures, "--checkpoint", model]
                run = Run(engine, words, out, 1, cluster if engine == "ray" else None)
                first, last = run.wait(2), run.wait(count)
                run.wait()
                done, wall = count - 2, last.wall - first.wall
                cpu = {kind: (last.cpu[kind] - first.cpu[kind]) / done for kind in last.cpu}
                values.append(cpu["actor" if engine == "ray" else "driver"])
                told = ", ".join(f"{kind} {seconds:.3f}" for kind, seconds in cpu.items())
                print(f"{engine}: {wall / done:.2f} s a picture; processors' s: {told}", flush=True)
    local, ray = (median(values) for values in found.values())
    print(f"an actor over the plain loop: {100 * (ray / local - 1):+.1f} % of a processor's time")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("equal", "kills", "loop", "ray"))
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args(arguments)
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    preload()
    if options.part == "equal":
        for count in (options.pictures // 20, options.pictures):
            compare_engines(work, count)
    elif options.part == "kills":
        with ray_cluster(work / "cluster.log") as cluster:
            for case in options.cases:
                survive(work, case, options.pictures, options.repeats, cluster)
    else:
        pictures, model = work / "large", random_model(work)
        pictures.mkdir(exist_ok=True)
        for number in range(options.pictures):
            pixels = np.random.default_rng(number).integers(0, 256, (30, 30, 3), np.uint8)
            image = Image.fromarray(pixels).resize((480, 480))
            image.save(pictures / f"{number:02}.jpg")
        if options.part == "loop":
            cost_of_loop(work, model, sorted(pictures.iterdir()), options.repeats)
        else:
            cost_of_ray(work, model, pictures, options.repeats)


if __name__ == "__main__":
    main()
