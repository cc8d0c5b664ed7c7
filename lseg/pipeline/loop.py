"""A loop over files: they are read ahead and done in turn, and a broken one does not end it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

from lseg.errors import DataError, ImageError, IncompleteRunError, escaped_lines
from lseg.inference.prefetch import read_ahead
from lseg.inference.sharding import Shard, sum_of_all
from lseg.pipeline.rows import Row

ItemT = TypeVar("ItemT")

BROKEN = (ImageError, DataError)
"""What is wrong with one file; all other errors are of the run, and end it."""


@dataclass(frozen=True)
class Patience:
    """How many broken files a run bears.

    Attributes:
        strict: Whether the first one ends it.
        max_errors: The most that do not; each process counts its own.
    """

    strict: bool = False
    max_errors: int | None = None

    def goes_on(self, rows: int) -> bool:
        """Whether a broken file may be one of many; a run of a single one is always strict."""
        return not self.strict and rows > 1

    def bear(self, error: Exception, failed: int, rows: int) -> None:
        """Tells of a broken file on standard error.

        Args:
            error: What is wrong with it.
            failed: How many were broken, with this one.
            rows: How many there are in the run.

        Raises:
            ImageError, DataError: The error itself, where it ends the run.
            IncompleteRunError: If this one is too much.
        """
        if not self.goes_on(rows):
            raise error
        tqdm.write(f"lseg: {escaped_lines(str(error))}", file=sys.stderr)
        if self.max_errors is not None and failed > self.max_errors:
            raise IncompleteRunError(
                f"stopped after {failed} broken files, more than --max-errors {self.max_errors}; "
                "what is done is kept, and the same command goes on"
            )


def run_rows(
    rows: Sequence[Row],
    read: Callable[[Row], ItemT],
    work: Callable[[Row, ItemT], None],
    shard: Shard,
    patience: Patience,
    skip: Callable[[Row, Exception], None] = lambda row, error: None,
) -> int:
    """Does this process's share of the rows, with a progress bar and the time that is left.

    Args:
        rows: Of all processes.
        read: Reads a row's file; threads do it, ahead of the work.
        work: Makes the results of what was read.
        shard: This process's share; a group of processes counts its failures together.
        patience: With broken files.
        skip: Called for each broken file that the run goes on after.

    Returns:
        How many files were broken, in all processes of the group.

    Raises:
        ImageError, DataError, IncompleteRunError: See `Patience.bear`.
    """
    share = shard.take(rows)
    failed = 0
    hidden = len(share) < 2 or not shard.first
    with tqdm(total=len(share), unit="image", disable=hidden) as progress:
        for row, item in read_ahead(share, read):
            try:
                work(row, item())
            except BROKEN as error:
                failed += 1
                if patience.goes_on(len(rows)):
                    skip(row, error)
                patience.bear(error, failed, len(rows))
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
