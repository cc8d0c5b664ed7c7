"""The order in which several sets are read together."""

from __future__ import annotations

from collections import Counter

import pytest

from lseg.data.base.mixed_sampler import MixedSampler, apportion
from lseg.errors import ConfigError


def _epoch(sampler: MixedSampler, epoch: int) -> list[tuple[int, int]]:
    sampler.set_epoch(epoch)
    return list(sampler)


def test_each_set_has_its_share_of_every_epoch() -> None:
    sampler = MixedSampler([30, 10], [1, 3], seed=1)
    assert (sampler.quotas, len(sampler)) == ([10, 30], 40)
    for epoch in range(5):
        keys = _epoch(sampler, epoch)
        assert Counter(index < 30 for _, index in keys) == {True: 10, False: 30}
    first = [index < 30 for _, index in keys]
    assert first != sorted(first)
    assert first != sorted(first, reverse=True)  # the sets are mixed within an epoch


def test_no_picture_comes_again_before_all_others_of_its_set_have() -> None:
    sampler = MixedSampler([7, 3], [1, 1], seed=5)  # 5 of each an epoch: passes end within epochs
    drawn = [key for epoch in range(7) for key in _epoch(sampler, epoch)]
    for first, length in ((0, 7), (7, 3)):
        own = [key for key in drawn if first <= key[1] < first + length]
        assert len(own) == 35
        turns = [turn for turn, _ in own]
        for turn in range(35 // length):
            assert sorted(index for at, index in own if at == turn) == list(
                range(first, first + length)
            )
        assert set(turns) == set(range(-(-35 // length)))
    orders = {tuple(index for turn, index in drawn if turn == at and index < 7) for at in range(5)}
    assert len(orders) == 5


def test_order_depends_on_seed_and_epoch_alone() -> None:
    sampler = MixedSampler([20, 30], [1, 2], seed=3)
    late = _epoch(sampler, 4)
    _epoch(sampler, 0)
    assert _epoch(sampler, 4) == late == _epoch(MixedSampler([20, 30], [1, 2], seed=3), 4)
    assert _epoch(MixedSampler([20, 30], [1, 2], seed=4), 4) != late
    assert _epoch(sampler, 5) != late


@pytest.mark.parametrize("replicas", [2, 3])
def test_replicas_share_an_epoch_and_a_resumed_one_goes_on(replicas: int) -> None:
    whole = _epoch(MixedSampler([5, 7], [1, 1], repeat=2), 2)
    shares = [
        _epoch(MixedSampler([5, 7], [1, 1], 0, 2, replicas, rank), 2) for rank in range(replicas)
    ]
    assert [key for keys in zip(*shares, strict=True) for key in keys] == whole
    sampler = MixedSampler([5, 7], [1, 1], 0, 2, replicas, 1)
    sampler.skip = 3
    assert _epoch(sampler, 2) == shares[1][3:]


def test_shares_are_whole_and_none_is_empty() -> None:
    assert apportion(10, [1, 1, 1]) == [4, 3, 3]
    assert apportion(7, [0.5, 0.25, 0.25]) == [3, 2, 2]
    assert sum(apportion(1001, [3, 1.7, 0.1])) == 1001
    with pytest.raises(ConfigError, match="an epoch of 10 pictures has none of a set of weight 1"):
        MixedSampler([5, 5], [1000, 1])
