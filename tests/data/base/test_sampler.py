"""Orders of training and evaluation."""

from __future__ import annotations

import pytest
from torch.utils.data import DataLoader, DistributedSampler

from lseg.data.base.sampler import EpochSampler, ExactSampler


def _epoch(sampler: EpochSampler, epoch: int) -> list[tuple[int, int]]:
    sampler.set_epoch(epoch)
    return list(sampler)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    sampler = EpochSampler(range(50), seed=3)
    late = _epoch(sampler, 4)
    assert sorted(late) == [(4, index) for index in range(50)]
    assert [i for _, i in late] != list(range(50))
    assert _epoch(EpochSampler(range(50), seed=3), 4) == late
    assert [i for _, i in _epoch(sampler, 5)] != [i for _, i in late]
    assert _epoch(EpochSampler(range(50), seed=4), 4) != late


def test_repeat_numbers_the_passes_over_all_epochs() -> None:
    sampler = EpochSampler(range(5), repeat=3)
    assert len(sampler) == 15
    keys = _epoch(sampler, 0) + _epoch(sampler, 1)
    assert sorted(keys) == [(number, index) for number in range(6) for index in range(5)]
    orders = {tuple(i for n, i in keys if n == number) for number in range(6)}
    assert len(orders) > 1


@pytest.mark.parametrize(("length", "replicas"), [(12, 3), (11, 3), (2, 4)])
def test_replicas_share_an_epoch(length: int, replicas: int) -> None:
    shares = [
        _epoch(EpochSampler(range(length), num_replicas=replicas, rank=rank), 2)
        for rank in range(replicas)
    ]
    sizes = {len(share) for share in shares}
    assert sizes == {-(-length // replicas)}
    assert len(EpochSampler(range(length), num_replicas=replicas, rank=0)) in sizes
    together = [key for keys in zip(*shares, strict=True) for key in keys]
    assert together[:length] == _epoch(EpochSampler(range(length)), 2)


@pytest.mark.parametrize(("length", "replicas"), [(10, 1), (10, 4), (2, 4)])
def test_exact_sampler_yields_each_index_once(length: int, replicas: int) -> None:
    samplers = [ExactSampler(range(length), replicas, rank) for rank in range(replicas)]
    shares = [list(sampler) for sampler in samplers]
    assert sorted(index for share in shares for index in share) == list(range(length))
    assert all(share == sorted(share) for share in shares)
    assert [len(sampler) for sampler in samplers] == [len(share) for share in shares]


def test_lightning_leaves_them_in_place() -> None:
    """Its rule, in the data connector: a loader with a DistributedSampler is not touched."""
    for sampler in (EpochSampler(range(4)), ExactSampler(range(4))):
        assert isinstance(sampler, DistributedSampler)
        assert DataLoader(range(4), sampler=sampler).sampler is sampler  # type: ignore[arg-type]
