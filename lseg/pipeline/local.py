"""The plain engine: a loop in this process, or a share of it in each process of torchrun."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from lseg.inference.sharding import Shard, sum_of_all, together, wait_for_all
from lseg.pipeline.behind import Behind
from lseg.pipeline.entry import Entry
from lseg.pipeline.loop import run_rows
from lseg.pipeline.rows import Row
from lseg.pipeline.run import Outcome, PictureRun
from lseg.pipeline.step import Step
from lseg.pipeline.worker import Loaded, Worker


@dataclass(frozen=True)
class LocalEngine:
    """Every process does every `world`-th picture.

    Attributes:
        step: What is made of a picture, with a network of this process.
        shard: This process's share; it is in the group of the others, where there is one.
    """

    step: Step[Any]
    shard: Shard

    def run(self, run: PictureRun) -> Outcome:
        """See `Engine`."""
        share = self.shard.take(run.rows)
        run.clear_unfinished(share)
        self._fold(run)
        known = run.place.index.known(row.name for row in share)
        worker = Worker(run.place, self.step, run.versions)
        kept = 0

        def done(entry: Entry) -> None:
            if entry.error is None:
                run.done(entry)

        def work(_: Row, read: Entry | Loaded) -> None:
            nonlocal kept
            if isinstance(read, Entry):
                kept += 1
                run.done(read)
            else:
                behind.add(worker.begin(read))

        try:
            with Behind(done) as behind:
                failed = run_rows(
                    run.rows,
                    lambda row: worker.read(row, known.get(row.name)),
                    work,
                    self.shard,
                    run.patience,
                    lambda row, error: behind.add(partial(worker.fail, row, error)),
                )
        finally:
            worker.journal.flush()
            if self.shard.world == 1:  # others might wait for ever for one that has failed
                run.place.index.fold()
        self._fold(run)
        return Outcome(failed, sum_of_all(kept))

    def _fold(self, run: PictureRun) -> None:
        """One file of the index, where it is known that nobody is writing."""
        if not together(self.shard):
            return
        wait_for_all()
        if self.shard.first:
            run.place.index.fold()
        wait_for_all()
