"""Loaders of training batches that begin where training stands."""

from __future__ import annotations

from time import sleep

import pytest
from torch.utils.data import DataLoader

from lseg.data.base.loader import TrainLoader
from lseg.data.base.sampler import EpochSampler


class Keys:
    """Items are the keys that they are asked for."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, key: tuple[int, int]) -> tuple[int, int]:
        return key


def _loader(done: list[int], workers: int = 0, **replica: int) -> TrainLoader:
    sampler = EpochSampler(Keys(), **replica)
    batches = DataLoader(
        Keys(), 2, sampler=sampler, drop_last=True, num_workers=workers, collate_fn=list,
        persistent_workers=workers > 0,
    )  # type: ignore[arg-type]  # fmt: skip
    return TrainLoader(batches, sampler, lambda: done[0])


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_begins_where_training_stands_when_the_first_batch_is_taken(workers: int) -> None:
    done = [0]
    loader = _loader(done, workers)
    loader.sampler.set_epoch(5)
    whole = list(loader)
    assert (len(whole), len(loader)) == (6, 6)
    loader.sampler.set_epoch(0)
    made = iter(loader)
    loader.sampler.set_epoch(5)
    done[0] = 4
    assert list(made) == whole[4:]
    done[0] = 0
    assert list(loader) == whole
    assert len(loader) == 6


def test_the_time_that_batches_are_waited_for_is_known() -> None:
    loader = _loader([0])
    collate = loader.batches.collate_fn
    loader.batches.collate_fn = lambda items: (sleep(0.05), collate(items))[1]
    assert loader.take_waited() == 0
    batches = iter(loader)
    next(batches)
    assert loader.take_waited() >= 0.05
    sleep(0.1)  # the step itself
    assert loader.take_waited() == 0
    assert len(list(batches)) == 5
    assert loader.take_waited() >= 0.25


def test_each_replica_leaves_out_its_own_items() -> None:
    for rank in (0, 1):
        whole = list(_loader([0], num_replicas=2, rank=rank))
        assert list(_loader([2], num_replicas=2, rank=rank)) == whole[2:]
