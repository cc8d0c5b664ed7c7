import socket

import pytest
from torch import distributed

from lseg.commands.distributed import run_on_devices


@pytest.fixture
def torchrun(monkeypatch):
    """The environment that torchrun gives to a process that is alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    ones = dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"), "1")
    zeros = dict.fromkeys(("RANK", "LOCAL_RANK", "GROUP_RANK"), "0")
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "none"}
    for name, value in {**ones, **zeros, **address}.items():
        monkeypatch.setenv(name, value)


def test_a_job_leaves_its_process_group_when_it_is_done(torchrun):
    assert run_on_devices(lambda fabric: distributed.is_initialized(), 1, "cpu") is True
    assert not distributed.is_initialized()
