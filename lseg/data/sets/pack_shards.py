"""A pairs folder as tar archives; see `lseg.data.sets.shards`."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from lseg.data.sets.pairs import PairsFolder
from lseg.data.sets.pairs_config import NAME as CONFIG
from lseg.data.sets.shards import MASK
from lseg.files import atomic_file


def pack_shards(folder: PairsFolder, split: str, out: Path, megabytes: float = 1000) -> list[Path]:
    """Write the pictures and masks of a list into archives, byte for byte, in its order.

    Args:
        folder: What to pack.
        split: Archives are called `<split>-000000.tar` and so on.
        out: Where they go, with copies of classes.txt and dataset.yaml.
        megabytes: About the size of each.

    Returns:
        The archives.

    Raises:
        DataError: If a file is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in ("classes.txt", CONFIG):
        if (folder.root / name).is_file():
            shutil.copyfile(folder.root / name, out / name)
    archives: list[Path] = []
    number = 0
    for group in _groups(folder, megabytes * 1e6):
        path = out / f"{split}-{len(archives):06}.tar"
        with atomic_file(path) as partial, tarfile.open(partial, "w:") as tar:
            for image, mask in group:
                key = f"{number:08}"
                tar.add(image, f"{key}{image.suffix}")
                tar.add(mask, f"{key}{MASK}{mask.suffix}")
                number += 1
        archives.append(path)
    return archives


def _groups(folder: PairsFolder, size: float) -> Iterator[list[tuple[Path, Path]]]:
    group: list[tuple[Path, Path]] = []
    filled = 0
    for pair in folder.pairs.values():
        files = pair.image.resolve(), pair.mask.resolve()  # what links point to
        filled += sum(file.stat().st_size for file in files)
        if group and filled > size:
            yield group
            group, filled = [], sum(file.stat().st_size for file in files)
        group.append(files)
    yield group
