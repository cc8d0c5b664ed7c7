"""Jobs in one process and in several."""

import os

import pytest
import torch
from torch import distributed

from lseg.commands.distributed import Place, run_on_devices
from lseg.errors import ConfigError, DataError, LSegError
from lseg.inference.sharding import Shard, gathered


def describe(place):
    """What a process sees of the others; at module level, to be pickled."""
    return place.shard, str(place.device), gathered(os.getpid())


def fail(place):
    if not place.shard.first:
        raise DataError("no picture a.png.\nExpected: <root>/a.png")


def test_one_process_works_here_without_a_group():
    assert run_on_devices(describe, 1, "cpu") == (Shard(0, 1), "cpu", [os.getpid()])
    assert not distributed.is_initialized()


@pytest.mark.slow  # two more interpreters start
def test_several_processes_meet_and_the_first_one_s_result_comes_back(monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    shard, device, processes = run_on_devices(describe, 2, "cpu")
    assert (shard, device) == (Shard(0, 2), "cpu")
    assert len({os.getpid(), *processes}) == 3


@pytest.mark.slow  # two more interpreters start
def test_what_a_user_can_mend_is_told_as_it_was_in_the_process():
    with pytest.raises(LSegError) as caught:
        run_on_devices(fail, 2, "cpu")
    assert str(caught.value) == "no picture a.png.\nExpected: <root>/a.png"


def test_more_devices_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr("lseg.commands.distributed.device_from", lambda name: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="--devices 2: there are 1 of the kind cuda"):
        run_on_devices(describe, 2, "auto")


def test_a_process_of_torchrun_leaves_its_group_when_it_is_done(monkeypatch):
    begun, ended = [], []
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "init_process_group", lambda *a, **k: begun.append(k["rank"]))
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: ended.append(1))
    seen = []
    assert run_on_devices(lambda place: seen.append(place), 1, "cpu") is None
    assert seen == [Place(Shard(1, 2), torch.device("cpu"))]
    assert (begun, ended) == ([1], [1])
