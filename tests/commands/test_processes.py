"""Commands in one process and in several."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import distributed

from lseg.commands.model import device_from
from lseg.commands.options.shared import CountOptions
from lseg.commands.processes import run_shared
from lseg.errors import ConfigError, DataError, LSegError
from lseg.inference.sharding import Shard, gathered


@dataclass(frozen=True, kw_only=True)
class Written(CountOptions):
    out: Path


def describe(options):
    """What the first process sees of the others; at module level, to be found by them."""
    shard, processes = Shard.of_process(), gathered(os.getpid())
    if shard.first:
        options.out.write_text(json.dumps([shard.world, torch.get_num_threads(), processes]))


def fail(options):
    if not Shard.of_process().first:
        raise DataError("no picture a.png.\nExpected: <root>/a.png")


def test_one_process_works_here_without_a_group(tmp_path):
    run_shared(describe, Written(device="cpu", out=tmp_path / "told"))
    world, _, processes = json.loads((tmp_path / "told").read_text())
    assert (world, processes) == (1, [os.getpid()])
    assert not distributed.is_initialized()


@pytest.mark.slow  # two more interpreters start
def test_several_processes_meet_and_share_the_processors(monkeypatch, tmp_path):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    run_shared(describe, Written(devices=2, device="cpu", out=tmp_path / "told"))
    world, threads, processes = json.loads((tmp_path / "told").read_text())
    assert (world, threads) == (2, 1)
    assert len({os.getpid(), *processes}) == 3


@pytest.mark.slow  # two more interpreters start
def test_what_a_user_can_mend_is_told_as_it_was_in_the_process():
    with pytest.raises(LSegError) as caught:
        run_shared(fail, CountOptions(devices=2, device="cpu"))
    assert str(caught.value) == "no picture a.png.\nExpected: <root>/a.png"


def test_more_devices_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr("lseg.commands.processes.device_from", lambda name: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="--devices 2: there are 1 of the kind cuda"):
        run_shared(describe, CountOptions(devices=2))


def test_a_process_of_torchrun_leaves_its_group_when_it_is_done(monkeypatch):
    begun, ended = [], []
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "init_process_group", lambda *a, **k: begun.append(k["rank"]))
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: ended.append(1))
    seen = []
    run_shared(seen.append, options := CountOptions(device="cpu"))
    assert seen == [options]
    assert (begun, ended) == ([1], [1])


def test_of_several_accelerators_each_process_of_a_machine_has_its_own(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert device_from("meta") == torch.device("meta", 1)
    assert device_from("meta:0") == torch.device("meta", 0)
    assert device_from("cpu") == torch.device("cpu")
