"""A run over pictures: they are read ahead and done in turn, and a broken one does not end it."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from tqdm import tqdm

from lseg.commands.rows import Row
from lseg.errors import DataError, ImageError, IncompleteRunError
from lseg.inference.prefetch import read_ahead
from lseg.inference.sharding import Shard, sum_of_all

ItemT = TypeVar("ItemT")

BROKEN = (ImageError, DataError)
"""What is wrong with one file; all other errors are of the run, and end it."""


def run_rows(
    rows: Sequence[Row],
    read: Callable[[Row], ItemT],
    work: Callable[[Row, ItemT], None],
    shard: Shard,
    strict: bool,
    skip: Callable[[Row], None] = lambda row: None,
) -> int:
    """Does this process's share of the rows, with a progress bar and the time that is left.

    What is wrong with a file is told on standard error, and the next one follows. A run of a
    single file is always strict.

    Args:
        rows: Of all processes.
        read: Reads a row's file; threads do it, ahead of the work.
        work: Makes the results of what was read.
        shard: This process's share; a group of processes counts its failures together.
        strict: Whether the first broken file ends the run.
        skip: Called for each broken file.

    Returns:
        How many files were broken, in all processes of the group.

    Raises:
        ImageError, DataError: Of a broken file, if `strict`.
    """
    share = shard.take(rows)
    failed = 0
    hidden = len(share) < 2 or not shard.first
    with tqdm(total=len(share), unit="image", disable=hidden) as progress:
        for row, item in read_ahead(share, read):
            try:
                work(row, item())
            except BROKEN as error:
                if strict or len(rows) == 1:
                    raise
                tqdm.write(f"lseg: {error}", file=sys.stderr)
                skip(row)
                failed += 1
            progress.update()
    return sum_of_all(failed)


def end_run(failed: int, rows: Sequence[Row]) -> None:
    """Ends a run that went on after broken files; to be called when its results are told.

    Raises:
        IncompleteRunError: If there was one.
    """
    if failed == 0:
        return
    if failed == len(rows):
        raise IncompleteRunError(f"all {failed} files failed, for the reasons above")
    raise IncompleteRunError(
        f"{failed} of {len(rows)} files failed, for the reasons above; the others are done"
    )
