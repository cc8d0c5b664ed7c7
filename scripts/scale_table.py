"""Pictures a second on 1 to 1000 GPUs, computed from measured times: the table of docs/scale.md.

    python scripts/scale_table.py --megabytes 59 --storage 20

Nothing is run. An actor shows the network a picture, then writes its files; actors that share a
GPU write while others compute; storage takes so many bytes a second from all of them together.
"""

import argparse
from collections.abc import Sequence

GPUS = (1, 8, 64, 256, 1000)


def rate(
    gpus: int, network: float, writing: float, actors: int, megabytes: float, storage: float
) -> tuple[float, str]:
    """Pictures a second, and what limits them.

    Args:
        gpus: How many.
        network: Seconds that a GPU computes for a picture.
        writing: Seconds of a processor for its files.
        actors: On each GPU.
        megabytes: That its files hold.
        storage: Gigabytes a second that can be written by all.
    """
    limits = {
        "GPUs": gpus / network,
        "actors": gpus * actors / (network + writing),
        "storage": 1000 * storage / megabytes,
    }
    limit = min(limits, key=lambda name: limits[name])
    return limits[limit], limit


def duration(seconds: float) -> str:
    """In the unit in which it is from 1 to 100 or so."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(network: float, writing: float, actors: int, megabytes: float, storage: float) -> str:
    """The table, in Markdown."""
    lines = [
        "| GPUs | pictures/s | limited by | GB/s written | a million pictures |",
        "| --- | --- | --- | --- | --- |",
    ]
    for gpus in GPUS:
        found, limit = rate(gpus, network, writing, actors, megabytes, storage)
        written = found * megabytes / 1000
        lines.append(
            f"| {gpus} | {found:.0f} | {limit} | {written:.2g} | {duration(1e6 / found)} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", type=float, default=0.024, help="seconds a picture on a GPU")
    parser.add_argument("--writing", type=float, default=0.177, help="seconds for its files")
    parser.add_argument("--actors", type=int, default=8, help="on each GPU")
    parser.add_argument("--megabytes", type=float, default=59, help="of the files of a picture")
    parser.add_argument("--storage", type=float, default=20, help="GB/s of all together")
    options = parser.parse_args(arguments)
    print(table(**vars(options)))


if __name__ == "__main__":
    main()
